"""Broadcasts: what is to be said to whom, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from common.store.events import TELL
from common.store.groups import SENDABLE
from common.store.pool import Tx

State = Literal["scheduled", "planning", "running", "paused", "cancelled", "done"]


# What webhooks are told of a broadcast that a statement changes; after a colon come Telegram's own words, which may
# quote the message.
_TOLD = """RETURNING 'broadcast.{}' AS kind, bot_ids, jsonb_build_object(
    'broadcast_id', broadcast_id, 'state', state, 'reason', split_part(pause_reason, ':', 1), 'total', total) AS data"""

_TARGETS = "all_groups, group_ids, tags, exclude_ids, exclude_tags, bot_ids"


@dataclass(frozen=True, slots=True)
class Targets:
    """Groups by id, by tag or all of them, less the excluded; `bot_ids` limits it to some bots."""

    all_groups: bool = False
    group_ids: list[int] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    exclude_ids: list[int] = field(default_factory=list)
    exclude_tags: list[str] = field(default_factory=list)
    bot_ids: list[int] | None = None

    def condition(self, *, after: int) -> tuple[str, list[Any]]:
        """On rows `g` of groups, as SQL, and its values: they come after so many of the statement's own.

        Long arrays are read by subqueries, which are hashed or looked up by index. `= ANY($1)` is compared element by
        element for each row as soon as PostgreSQL has a plan for any values, which is after a few executions: ten
        thousand ids then take minutes in a fleet of 200,000.
        """
        values: list[Any] = []

        def named(value: Any, sort: str) -> str:
            values.append(value)
            return f"${after + len(values)}::{sort}[]"

        conditions = []
        if not self.all_groups:
            ids, tags = named(self.group_ids, "bigint"), named(self.tags, "text")
            conditions.append(
                f"""g.group_id IN (
                    SELECT unnest({ids}) UNION ALL SELECT t.group_id FROM groups t WHERE t.tags && {tags})"""  # noqa: S608
            )
        conditions.append(f"g.group_id NOT IN (SELECT unnest({named(self.exclude_ids, 'bigint')}))")
        conditions.append(f"NOT g.tags && {named(self.exclude_tags, 'text')}")
        if self.bot_ids is not None:
            conditions.append(f"g.bot_id IN (SELECT unnest({named(self.bot_ids, 'bigint')}))")
        return " AND ".join(conditions), values


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A row without its content, which may be long."""

    broadcast_id: int
    state: State
    priority: int
    on_unknown: str
    send_at: datetime
    expires_at: datetime | None
    pause_reason: str | None
    planned: bool
    total: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Count:
    """How many groups a choice of targets reaches, and how many of them can't be sent to now."""

    reached: int
    skipped: int


async def create(  # noqa: PLR0913 (the columns of one row)
    tx: Tx,
    targets: Targets,
    content: dict[str, Any],
    *,
    priority: int = 5,
    on_unknown: str = "report",
    send_at: datetime | None = None,
    ttl: timedelta | None = None,
    created_by: str = "system",
    traceparent: str | None = None,
) -> int:
    """`planning`, or `scheduled` for a `send_at` that is still to come by the database's clock; the id."""
    broadcast_id: int = await tx.fetchval(
        """INSERT INTO broadcasts (all_groups, group_ids, tags, exclude_ids, exclude_tags, bot_ids, content, priority,
        on_unknown,
               send_at, expires_at, created_by, traceparent, state)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, greatest($10, now()), greatest($10, now()) + $11::interval,
           $12, $13,
               CASE WHEN $10 > now() THEN 'scheduled' ELSE 'planning' END)
           RETURNING broadcast_id""",
        targets.all_groups,
        targets.group_ids,
        targets.tags,
        targets.exclude_ids,
        targets.exclude_tags,
        targets.bot_ids,
        content,
        priority,
        on_unknown,
        send_at,
        ttl,
        created_by,
        traceparent,
    )
    return broadcast_id


async def count(tx: Tx, targets: Targets) -> Count:
    """For a dry run and for the answer to a request: nothing is written."""
    condition, values = targets.condition(after=0)
    row = await tx.fetchrow(
        f"""SELECT count(*) FILTER (WHERE sendable) AS reached, count(*) FILTER (WHERE NOT sendable) AS skipped
            FROM (SELECT {SENDABLE} AS sendable FROM groups g WHERE {condition}) t""",  # noqa: S608 (our own words)
        *values,
    )
    return Count(row["reached"], row["skipped"]) if row else Count(0, 0)


async def get(tx: Tx, broadcast_id: int) -> Broadcast | None:
    """None for an id that was never given."""
    row = await tx.fetchrow(
        """SELECT broadcast_id, state, priority, on_unknown, send_at, expires_at, pause_reason, planned, total,
        created_by,
               created_at, finished_at FROM broadcasts WHERE broadcast_id = $1""",
        broadcast_id,
    )
    return Broadcast(**dict(row)) if row else None


async def targets(tx: Tx, broadcast_id: int) -> Targets:
    """Whom it is for, as it was asked for."""
    row = await tx.fetchrow(f"SELECT {_TARGETS} FROM broadcasts WHERE broadcast_id = $1", broadcast_id)  # noqa: S608
    return Targets(**dict(row)) if row else Targets()


async def targets_of(tx: Tx, broadcast_id: int) -> Targets | None:
    """Locked, for one planner at a time; None where there is nothing to plan, or another is planning it.

    Nobody waits for it: what has no planner any more is found by `unplanned`.
    """
    row = await tx.fetchrow(
        f"""SELECT {_TARGETS} FROM broadcasts
            WHERE broadcast_id = $1 AND state IN ('planning', 'paused') AND NOT planned
            FOR UPDATE SKIP LOCKED""",  # noqa: S608 (our own words)
        broadcast_id,
    )
    return Targets(**dict(row)) if row else None


async def planned(tx: Tx, broadcast_id: int) -> None:
    """Every group has its delivery: it runs, unless it was paused meanwhile."""
    await tx.execute(
        f"""WITH told AS (
               UPDATE broadcasts SET planned = true, state = CASE WHEN state = 'planning' THEN 'running' ELSE state END
               WHERE broadcast_id = $1 AND state IN ('planning', 'paused') AND NOT planned {_TOLD.format("started")}),
               {TELL}
           SELECT 1""",  # noqa: S608 (our own words)
        broadcast_id,
    )


async def content(tx: Tx, broadcast_id: int) -> dict[str, Any]:
    """What it says."""
    found: dict[str, Any] = await tx.fetchval("SELECT content FROM broadcasts WHERE broadcast_id = $1", broadcast_id)
    return found


async def edition(tx: Tx, broadcast_id: int) -> tuple[int, dict[str, Any]]:
    """What it says, and how often that was changed."""
    row = await tx.fetchrow("SELECT edition, content FROM broadcasts WHERE broadcast_id = $1", broadcast_id)
    return (row["edition"], row["content"]) if row else (0, {})


async def pause(tx: Tx, broadcast_id: int, reason: str) -> bool:
    """False where it is not under way. What is at Telegram already ends as it ends."""
    count: int = await tx.fetchval(
        f"""WITH told AS (
               UPDATE broadcasts SET state = 'paused', pause_reason = $2
               WHERE broadcast_id = $1 AND state IN ('planning', 'running') {_TOLD.format("paused")}), {TELL}
           SELECT count(*) FROM told""",  # noqa: S608 (our own words)
        broadcast_id,
        reason,
    )
    return count == 1


async def resume(tx: Tx, broadcast_id: int) -> bool:
    """False where it is not paused."""
    status = await tx.execute(
        """UPDATE broadcasts SET state = CASE WHEN planned THEN 'running' ELSE 'planning' END, pause_reason = NULL
           WHERE broadcast_id = $1 AND state = 'paused'""",
        broadcast_id,
    )
    return bool(status.endswith(" 1"))


async def cancel(tx: Tx, broadcast_id: int) -> bool:
    """At once: no intent is written for it any more. Its open rows are settled by the brain, in chunks."""
    count: int = await tx.fetchval(
        f"""WITH told AS (
               UPDATE broadcasts SET state = 'cancelled', finished_at = now()
               WHERE broadcast_id = $1 AND state IN ('scheduled', 'planning', 'running', 'paused')
               {_TOLD.format("cancelled")}), {TELL}
           SELECT count(*) FROM told""",  # noqa: S608 (our own words)
        broadcast_id,
    )
    return count == 1


async def start_scheduled(tx: Tx) -> list[int]:
    """Those whose time has come, to be planned."""
    rows = await tx.fetch(
        """UPDATE broadcasts SET state = 'planning' WHERE state = 'scheduled' AND send_at <= now() RETURNING
        broadcast_id
        """
    )
    return [row["broadcast_id"] for row in rows]


# Nothing of a broadcast is open, by two indexes. One that its content has paused has nobody who would resume it for the
# sake of its end.
_OVER = """b.state IN ('running', 'paused')
               AND (b.state = 'running' OR b.planned AND b.pause_reason LIKE 'content:%') AND NOT EXISTS (
                   SELECT 1 FROM deliveries d WHERE d.broadcast_id = b.broadcast_id AND d.state = 'pending')
               AND NOT EXISTS (
                   SELECT 1 FROM deliveries d
                   WHERE d.broadcast_id = b.broadcast_id AND d.state IN ('slotted', 'sending'))"""


async def finish(tx: Tx) -> list[int]:
    """Without an open delivery, running ones and those that a content error has paused are done.

    Locked first and looked at again by a second statement: one that waited for whoever opens deliveries again would
    still see those of before. What is locked is in an operator's hands, and left to the next round.
    """
    rows = await tx.fetch(
        f"SELECT b.broadcast_id FROM broadcasts b WHERE {_OVER} FOR NO KEY UPDATE SKIP LOCKED"  # noqa: S608 (our own words)
    )
    if not rows:
        return []
    rows = await tx.fetch(
        f"""WITH done AS (
               UPDATE broadcasts b SET state = 'done', finished_at = now()
               WHERE b.broadcast_id = ANY($1::bigint[]) AND {_OVER}
               {_TOLD.format("finished")}, broadcast_id),
           told AS (
               SELECT kind, bot_ids, data || jsonb_build_object('deliveries', (
                   SELECT coalesce(jsonb_object_agg(state, n), '{{}}') FROM (
                       SELECT state, count(*) AS n FROM deliveries d WHERE d.broadcast_id = done.broadcast_id
                       GROUP BY state) c)) AS data
               FROM done),
           {TELL}
           SELECT broadcast_id FROM done""",  # noqa: S608 (our own words)
        [row["broadcast_id"] for row in rows],
    )
    return [row["broadcast_id"] for row in rows]


async def unplanned(tx: Tx) -> list[int]:
    """Those whose plan job may be lost: older than a moment, still without all their deliveries, in nobody's hand."""
    rows = await tx.fetch(
        """SELECT broadcast_id FROM broadcasts
           WHERE state = 'planning' AND NOT planned AND greatest(created_at, send_at) < now() - interval '5 s'
           FOR SHARE SKIP LOCKED"""
    )
    return [row["broadcast_id"] for row in rows]
