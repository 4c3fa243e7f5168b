"""Broadcasts that come again and again: when, what, to whom, and what became of each occurrence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from common.store.broadcasts import Targets
from common.store.pool import Tx

_COLUMNS = """schedule_id, name, cron, timezone, enabled, ends_at, next_at, content, all_groups, group_ids, tags,
    exclude_ids, exclude_tags, bot_ids, priority, on_unknown, ttl, created_by, created_at, updated_at"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What operators say of a schedule; `next_at` follows from it, None where nothing comes any more."""

    name: str
    cron: str
    timezone: str
    enabled: bool
    ends_at: datetime | None
    next_at: datetime | None
    targets: Targets
    content: dict[str, Any] = field(repr=False)
    priority: int
    on_unknown: str
    ttl: timedelta | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A row."""

    schedule_id: int
    plan: Plan
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """One occurrence: it became a broadcast, or was skipped for a reason."""

    due_at: datetime
    broadcast_id: int | None
    reason: str | None
    ran_at: datetime


async def now(tx: Tx) -> datetime:
    """By the database's clock, as occurrences are due by it."""
    found: datetime = await tx.fetchval("SELECT now()")
    return found


async def add(tx: Tx, plan: Plan, created_by: str) -> Schedule:
    """A new one; its targets' bots stay as they are, whoever changes it."""
    row = await tx.fetchrow(
        f"""INSERT INTO schedules (name, cron, timezone, enabled, ends_at, next_at, content, all_groups, group_ids,
               tags, exclude_ids, exclude_tags, priority, on_unknown, ttl, bot_ids, created_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
           RETURNING {_COLUMNS}""",  # noqa: S608 (our own names)
        *_values(plan),
        plan.targets.bot_ids,
        created_by,
    )
    return _schedule(row)


async def save(tx: Tx, schedule_id: int, plan: Plan) -> Schedule:
    """As it is now to be."""
    row = await tx.fetchrow(
        f"""UPDATE schedules SET name = $1, cron = $2, timezone = $3, enabled = $4, ends_at = $5, next_at = $6,
               content = $7, all_groups = $8, group_ids = $9, tags = $10, exclude_ids = $11, exclude_tags = $12,
               priority = $13, on_unknown = $14, ttl = $15, updated_at = now()
           WHERE schedule_id = $16 RETURNING {_COLUMNS}""",  # noqa: S608 (our own names)
        *_values(plan),
        schedule_id,
    )
    return _schedule(row)


async def get(tx: Tx, schedule_id: int, within: list[int] | None) -> Schedule | None:
    """None for one that is not there, or may reach any other bot."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM schedules
           WHERE schedule_id = $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[])""",  # noqa: S608 (our own names)
        schedule_id,
        within,
    )
    return _schedule(row) if row else None


async def lock(tx: Tx, schedule_id: int, within: list[int] | None) -> Schedule | None:
    """As `get`, for a change."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM schedules
           WHERE schedule_id = $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[]) FOR UPDATE""",  # noqa: S608 (our own names)
        schedule_id,
        within,
    )
    return _schedule(row) if row else None


async def page(tx: Tx, *, within: list[int] | None, after: int, limit: int) -> list[Schedule]:
    """By id."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM schedules
           WHERE schedule_id > $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[])
           ORDER BY schedule_id LIMIT $3""",  # noqa: S608 (our own names)
        after,
        within,
        limit,
    )
    return [_schedule(row) for row in rows]


async def remove(tx: Tx, schedule_id: int) -> None:
    """With the record of its occurrences; its broadcasts stay."""
    await tx.execute("DELETE FROM schedules WHERE schedule_id = $1", schedule_id)


async def due(tx: Tx, limit: int) -> list[int]:
    """Those whose next occurrence has come, the longest ago first."""
    rows = await tx.fetch(
        "SELECT schedule_id FROM schedules WHERE next_at IS NOT NULL AND next_at <= now() ORDER BY next_at LIMIT $1",
        limit,
    )
    return [row["schedule_id"] for row in rows]


async def take(tx: Tx, schedule_id: int) -> tuple[Schedule, datetime] | None:
    """Locked, with the database's time; None where its occurrence was dealt with meanwhile."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS}, now() AS now FROM schedules
           WHERE schedule_id = $1 AND next_at <= now() FOR UPDATE SKIP LOCKED""",  # noqa: S608 (our own names)
        schedule_id,
    )
    return (_schedule(row), row["now"]) if row else None


async def note(tx: Tx, schedule_id: int, due_at: datetime) -> bool:
    """The mark of an occurrence; False where it is there already."""
    status = await tx.execute(
        "INSERT INTO schedule_runs (schedule_id, due_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", schedule_id, due_at
    )
    return bool(status.endswith(" 1"))


async def became(tx: Tx, schedule_id: int, due_at: datetime, broadcast_id: int | None, reason: str | None) -> None:
    """What the occurrence ended in."""
    await tx.execute(
        "UPDATE schedule_runs SET broadcast_id = $3, reason = $4 WHERE schedule_id = $1 AND due_at = $2",
        schedule_id,
        due_at,
        broadcast_id,
        reason,
    )


async def skip(tx: Tx, schedule_id: int, missed: list[datetime], reason: str) -> None:
    """Occurrences that nothing comes of."""
    await tx.execute(
        """INSERT INTO schedule_runs (schedule_id, due_at, reason)
           SELECT $1, due_at, $3 FROM unnest($2::timestamptz[]) AS t (due_at) ON CONFLICT DO NOTHING""",
        schedule_id,
        missed,
        reason,
    )


async def move_on(tx: Tx, schedule_id: int, next_at: datetime | None) -> None:
    """To the next occurrence."""
    await tx.execute("UPDATE schedules SET next_at = $2 WHERE schedule_id = $1", schedule_id, next_at)


async def runs(tx: Tx, schedule_id: int, *, before: datetime | None, limit: int) -> list[Run]:
    """The newest first."""
    rows = await tx.fetch(
        """SELECT due_at, broadcast_id, reason, ran_at FROM schedule_runs
           WHERE schedule_id = $1 AND ($2::timestamptz IS NULL OR due_at < $2) ORDER BY due_at DESC LIMIT $3""",
        schedule_id,
        before,
        limit,
    )
    return [Run(**dict(row)) for row in rows]


def _values(plan: Plan) -> tuple[Any, ...]:
    """In the order that `add` and `save` name them."""
    to = plan.targets
    return (
        plan.name, plan.cron, plan.timezone, plan.enabled, plan.ends_at, plan.next_at, plan.content, to.all_groups,
        to.group_ids, to.tags, to.exclude_ids, to.exclude_tags, plan.priority, plan.on_unknown, plan.ttl,
    )  # fmt: skip


def _schedule(row: Any) -> Schedule:
    targets = Targets(
        row["all_groups"], row["group_ids"], row["tags"], row["exclude_ids"], row["exclude_tags"], row["bot_ids"]
    )
    plan = Plan(
        row["name"], row["cron"], row["timezone"], row["enabled"], row["ends_at"], row["next_at"], targets,
        row["content"], row["priority"], row["on_unknown"], row["ttl"],
    )  # fmt: skip
    return Schedule(row["schedule_id"], plan, row["created_by"], row["created_at"], row["updated_at"])
