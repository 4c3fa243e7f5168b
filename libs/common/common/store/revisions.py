"""What is done to a broadcast's messages after they were sent: recalls and edits, one row each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from common.store.deliveries import ELSEWHERE
from common.store.pool import Tx

Kind = Literal["recall", "edit"]
State = Literal["running", "superseded", "stopped", "done"]
RECALLABLE = timedelta(hours=48)  # Bot API, deleteMessage
RECALL_PRIORITY = 10  # before every broadcast: what should not have been said is read meanwhile
# Of a delivery `d`: its group has something of the broadcast, or still gets it without being asked for again.
_READS = "(d.state NOT IN ('failed', 'cancelled', 'expired') OR d.message_id IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class Revision:
    """A row without its content; `items` counts by state."""

    revision_id: int
    broadcast_id: int
    kind: Kind
    priority: int
    state: State
    reason: str | None
    total: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    items: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reach:
    """Groups that have messages of a broadcast, and for how many of them these are too old to be deleted."""

    sent: int
    too_old: int


async def create(
    tx: Tx, broadcast_id: int, kind: Kind, *, priority: int, content: dict[str, Any] | None, created_by: str
) -> int:
    """The id. Whatever runs for the same broadcast gives way to it."""
    await tx.execute(
        "UPDATE revisions SET state = 'superseded' WHERE broadcast_id = $1 AND state = 'running'", broadcast_id
    )
    revision_id: int = await tx.fetchval(
        """INSERT INTO revisions (broadcast_id, kind, priority, content, created_by) VALUES ($1, $2, $3, $4, $5)
           RETURNING revision_id""",
        broadcast_id,
        kind,
        priority,
        content,
        created_by,
    )
    return revision_id


async def recall_of(tx: Tx, broadcast_id: int) -> Revision | None:
    """The recall of a broadcast that has one."""
    found = [revision for revision in await of(tx, broadcast_id) if revision.kind == "recall"]
    return found[0] if found else None


async def reach(tx: Tx, broadcast_id: int) -> Reach:
    """For the answer to a request."""
    row = await tx.fetchrow(
        """SELECT count(*) AS sent, count(*) FILTER (WHERE settled_at <= now() - $2::interval) AS too_old
           FROM deliveries WHERE broadcast_id = $1 AND (state = 'sent' OR message_id IS NOT NULL)""",
        broadcast_id,
        RECALLABLE,
    )
    return Reach(row["sent"], row["too_old"]) if row else Reach(0, 0)


async def without_value(tx: Tx, broadcast_id: int, names: list[str]) -> list[str]:
    """Those of these variables that none of the groups has which read the broadcast, or still will; none of them where
    there is no such group.
    """
    rows = await tx.fetch(
        f"""SELECT v.name FROM deliveries d JOIN groups g USING (group_id) CROSS JOIN unnest($2::text[]) AS v(name)
           WHERE d.broadcast_id = $1 AND {_READS}
           GROUP BY v.name HAVING NOT bool_or(g.variables ? v.name) ORDER BY v.name""",  # noqa: S608 (our own words)
        broadcast_id,
        names,
    )
    return [row["name"] for row in rows]


async def in_parts(tx: Tx, broadcast_id: int) -> bool:
    """Whether each group that reads it, or still will, has begun to get it in several messages."""
    mine = f"SELECT 1 FROM deliveries d WHERE d.broadcast_id = $1 AND {_READS}"  # noqa: S608 (our own words)
    found: bool = await tx.fetchval(
        f"""SELECT CASE WHEN EXISTS ({mine} AND d.parts = 1) THEN false  -- of most broadcasts the first row tells
               ELSE EXISTS ({mine}) END""",
        broadcast_id,
    )
    return found


async def of(tx: Tx, broadcast_id: int) -> list[Revision]:
    """Those of one broadcast, the newest first, with their items counted."""
    rows = await tx.fetch(
        """SELECT r.revision_id, r.broadcast_id, r.kind, r.priority, r.state, r.reason, r.total, r.created_by,
               r.created_at, r.finished_at, coalesce((SELECT jsonb_object_agg(state, n) FROM (
                   SELECT state, count(*) AS n FROM revision_items i WHERE i.revision_id = r.revision_id
                   GROUP BY state) t), '{}') AS items
           FROM revisions r WHERE r.broadcast_id = $1 ORDER BY r.revision_id DESC LIMIT 50""",
        broadcast_id,
    )
    return [Revision(**dict(row)) for row in rows]


async def content(tx: Tx, revision_id: int) -> dict[str, Any]:
    """Of an edit: the call; of a recall nothing."""
    found: dict[str, Any] | None = await tx.fetchval(
        "SELECT content FROM revisions WHERE revision_id = $1", revision_id
    )
    return found or {}


async def unplanned(tx: Tx) -> list[int]:
    """Those that can be planned: every send that began before them has ended, so that none is missed.

    A recall waits also until what was unsent is cancelled: it may have been begun.
    """
    rows = await tx.fetch(
        """SELECT r.revision_id FROM revisions r JOIN broadcasts b USING (broadcast_id)
           WHERE r.finished_at IS NULL AND r.state = 'running' AND NOT r.planned
               AND r.created_at < now() - interval '1 s' AND NOT EXISTS (
                   SELECT 1 FROM deliveries d WHERE d.broadcast_id = r.broadcast_id AND d.state = 'sending'
                       AND d.slot_at < r.created_at + interval '1 s')
               AND NOT (r.kind = 'recall' AND b.state = 'cancelled' AND (
                   EXISTS (SELECT 1 FROM deliveries d WHERE d.broadcast_id = r.broadcast_id AND d.state = 'pending')
                   OR EXISTS (SELECT 1 FROM deliveries d
                       WHERE d.broadcast_id = r.broadcast_id AND d.state IN ('slotted', 'sending'))))
           ORDER BY r.revision_id"""
    )
    return [row["revision_id"] for row in rows]


async def plan(tx: Tx, revision_id: int, *, limit: int) -> int:
    """The next chunk of its items; 0 when all are there, which is then noted. What can't be reached is settled here.

    Every delivery of which something may stand in its group, however it ended: parts of a long text do that failed or
    was cancelled behind them. Another text reaches also one that still has parts to send, to say that it can't have it.
    """
    made: int = await tx.fetchval(
        f"""WITH r AS (
               SELECT r.*, b.content ->> 'method' = 'sendMediaGroup' AS album
               FROM revisions r JOIN broadcasts b USING (broadcast_id)
               WHERE r.revision_id = $1 AND r.state = 'running' AND NOT r.planned FOR UPDATE OF r),
           chunk AS (
               SELECT d.delivery_id, d.group_id, d.bot_id, r.kind,
                   CASE WHEN r.kind = 'recall' THEN d.settled_at + $3::interval END AS deadline,
                   CASE WHEN d.state = 'unknown' AND (r.kind = 'edit' OR d.message_id IS NULL)
                           THEN 'nobody knows whether it was sent'
                       WHEN d.message_id IS NULL THEN 'its message id is not known'
                       WHEN r.kind = 'recall' AND r.album AND cardinality(d.message_ids) = 0
                           THEN 'its message ids are not known'
                       WHEN {ELSEWHERE} THEN 'the group became a supergroup since' END AS refusal
               FROM r JOIN broadcasts b USING (broadcast_id) JOIN deliveries d USING (broadcast_id)
               JOIN groups g USING (group_id)
               WHERE d.group_id > r.planned_to AND (d.state IN ('sent', 'unknown') OR d.message_id IS NOT NULL
                   AND (d.state IN ('failed', 'cancelled', 'expired') OR r.content ->> 'method' = 'editMessageText'))
               ORDER BY d.group_id LIMIT $2),
           made AS (
               INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id, deadline, state, reason,
                   settled_at)
               SELECT $1, delivery_id, group_id, bot_id, deadline,
                   CASE WHEN refusal IS NOT NULL THEN 'failed' WHEN deadline <= now() THEN 'not_recallable'
                       ELSE 'pending' END,
                   coalesce(refusal, CASE WHEN deadline <= now() THEN 'older than 48 hours' END),
                   CASE WHEN refusal IS NOT NULL OR deadline <= now() THEN now() END
               FROM chunk ON CONFLICT DO NOTHING),
           noted AS (
               UPDATE revisions SET planned = c.n = 0, planned_to = coalesce(c.last, planned_to), total = total + c.n
               FROM (SELECT max(group_id) AS last, count(*) AS n FROM chunk) c WHERE revision_id = $1)
           SELECT count(*) FROM chunk""",  # noqa: S608 (our own words)
        revision_id,
        limit,
        RECALLABLE,
    )
    return made


async def stop(tx: Tx, revision_id: int, reason: str) -> None:
    """Nobody can be given this content: nothing more begins."""
    await tx.execute(
        "UPDATE revisions SET state = 'stopped', reason = $2 WHERE revision_id = $1 AND state = 'running'",
        revision_id,
        reason,
    )


_OVER = """r.finished_at IS NULL AND (r.planned OR r.state <> 'running')
               AND NOT EXISTS (
                   SELECT 1 FROM revision_items i WHERE i.revision_id = r.revision_id AND i.state = 'pending')
               AND NOT EXISTS (
                   SELECT 1 FROM revision_items i
                   WHERE i.revision_id = r.revision_id AND i.state IN ('slotted', 'sending'))"""


async def finish(tx: Tx) -> list[int]:
    """Those of which nothing is open any more; what was superseded or stopped stays that. Locked first and looked at
    again, as broadcasts are.
    """
    rows = await tx.fetch(
        f"SELECT r.revision_id FROM revisions r WHERE {_OVER} FOR NO KEY UPDATE SKIP LOCKED"  # noqa: S608 (our own words)
    )
    if not rows:
        return []
    rows = await tx.fetch(
        f"""UPDATE revisions r SET finished_at = now(),
               state = CASE WHEN r.state = 'running' THEN 'done' ELSE r.state END
           WHERE r.revision_id = ANY($1::bigint[]) AND {_OVER} RETURNING r.revision_id""",  # noqa: S608 (our own words)
        [row["revision_id"] for row in rows],
    )
    return [row["revision_id"] for row in rows]


async def change_content(tx: Tx, broadcast_id: int, changed: dict[str, Any]) -> None:
    """What is sent from now on, by a retry or after a resume, says the new text too. Noted is whether it is another
    text, for what has begun with the old one can't go on with it.
    """
    await tx.execute(
        """UPDATE broadcasts SET content = $2::jsonb, edition = edition + 1,
               said_since = CASE WHEN (content -> 'params' -> 'text', content -> 'params' -> 'parse_mode')
                   IS DISTINCT FROM ($2::jsonb -> 'params' -> 'text', $2::jsonb -> 'params' -> 'parse_mode')
                   THEN edition + 1 ELSE said_since END
           WHERE broadcast_id = $1""",
        broadcast_id,
        changed,
    )
