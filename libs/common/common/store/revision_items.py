"""The messages of a revision: one row for each, handed out in the same slots as sends, and ended exactly once.

Unlike a send, a deletion or an edit may be repeated: an attempt whose end nobody knows is made again, a few times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from common.ids import BotId
from common.records import REVISION_ATTEMPTS, BegunItem, Candidate
from common.store.deliveries import ELSEWHERE
from common.store.pool import Tx
from common.store.states import state_of

_STATE: Final = state_of("i")
_CHUNK = 5000  # rows a statement


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """How the attempt at that slot ended; `state` is terminal, or `pending` for another attempt after `delay`. One that
    is `unsent` surely did nothing, and is not counted.
    """

    item_id: int
    slot_at: datetime
    state: str
    reason: str | None = None
    delay: timedelta = timedelta()
    unsent: bool = False


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item with its group's name, for lists."""

    delivery_id: int
    group_id: int
    bot_id: int
    title: str
    state: str
    attempts: int
    reason: str | None
    settled_at: datetime | None


async def candidates(tx: Tx, wanted: Mapping[BotId, int], horizon: timedelta) -> list[Candidate]:
    """As for deliveries, but groups' send windows do not count: a deletion or an edit rings nobody's phone."""
    rows = await tx.fetch(
        """SELECT c.item_id AS delivery_id, r.broadcast_id, c.group_id, w.bot_id, r.priority, now() AS due_at,
               true AS revises
           FROM unnest($1::bigint[], $2::int[]) AS w (bot_id, n)
           CROSS JOIN revisions r
           CROSS JOIN LATERAL (
               SELECT i.item_id, i.group_id
               FROM revision_items i CROSS JOIN LATERAL (
                   SELECT FROM group_turns t WHERE t.group_id = i.group_id AND t.held_by IS NULL
                       AND t.next_at <= clock_timestamp() + $3::interval OFFSET 0) t
               WHERE i.revision_id = r.revision_id AND i.bot_id = w.bot_id AND i.state = 'pending'
                   AND i.not_before <= statement_timestamp()
               ORDER BY i.not_before, i.item_id LIMIT w.n) c
           WHERE r.finished_at IS NULL AND r.state = 'running'""",
        list(wanted),
        list(wanted.values()),
        horizon,
    )
    return [Candidate(**dict(row)) for row in rows]


async def begin(tx: Tx, jobs: Sequence[tuple[int, datetime]], owner: str) -> list[BegunItem]:
    """The intents: only items that still have this very slot, of revisions that nothing has superseded."""
    rows = await tx.fetch(
        f"""UPDATE revision_items i SET state = 'sending', owner = $3, attempts = i.attempts + 1
           FROM unnest($1::bigint[], $2::timestamptz[]) AS j (item_id, slot_at), groups g, revisions r, deliveries d,
               broadcasts b, bots
           WHERE i.item_id = j.item_id AND i.slot_at = j.slot_at AND {_STATE} = 'slotted'
               AND g.group_id = i.group_id
               AND r.revision_id = i.revision_id + 0 AND r.state = 'running'  -- + 0: not from it to all its items
               AND d.delivery_id = i.delivery_id AND b.broadcast_id = d.broadcast_id
               AND bots.bot_id = i.bot_id AND bots.state = 'active' AND bots.enabled
               AND coalesce(bots.flood_until, to_timestamp(0)) <= clock_timestamp()
           RETURNING i.item_id, i.revision_id, r.kind, i.group_id, i.bot_id,
               coalesce(d.sent_chat_id, g.chat_id) AS chat_id, i.attempts, i.unsent,
               CASE WHEN cardinality(d.message_ids) = 0 THEN ARRAY[d.message_id] ELSE d.message_ids END AS message_ids,
               g.title, g.variables, {ELSEWHERE} AS moved,
               coalesce(i.deadline <= clock_timestamp(), false) AS late, d.parts,
               d.state = 'unknown' OR d.parts_done > greatest(cardinality(d.message_ids), 1) AS unseen""",  # noqa: S608
        [item_id for item_id, _ in jobs],
        [slot_at for _, slot_at in jobs],
        owner,
    )
    return [BegunItem(**dict(row)) for row in rows]


async def settle(tx: Tx, outcomes: Sequence[ItemOutcome]) -> set[int]:
    """Each exactly once: an attempt that was given up meanwhile changes nothing. Which ones this wrote."""
    rows = await tx.fetch(
        f"""UPDATE revision_items i SET state = o.state, reason = o.reason, owner = NULL,
               not_before = clock_timestamp() + o.delay, settled_at = CASE WHEN o.state <> 'pending' THEN now() END,
               attempts = CASE WHEN o.unsent THEN greatest(0, i.attempts - 1) ELSE i.attempts END,
               unsent = CASE WHEN o.unsent THEN least(i.unsent + 1, 100) ELSE 0 END
           FROM unnest($1::bigint[], $2::text[], $3::text[], $4::interval[], $5::timestamptz[], $6::bool[])
               AS o (item_id, state, reason, delay, slot_at, unsent)
           WHERE i.item_id = o.item_id AND i.slot_at = o.slot_at AND {_STATE} = 'sending'
           RETURNING i.item_id""",  # noqa: S608 (our own words)
        [o.item_id for o in outcomes],
        [o.state for o in outcomes],
        [o.reason for o in outcomes],
        [o.delay for o in outcomes],
        [o.slot_at for o in outcomes],
        [o.unsent for o in outcomes],
    )
    return {row["item_id"] for row in rows}


async def orphans(tx: Tx, silent: timedelta) -> int:
    """Attempts whose sender is silent are made again: a deletion or an edit that happened already does no harm."""
    count: int = await tx.fetchval(
        f"""WITH dead AS (
               UPDATE revision_items i SET owner = NULL, reason = 'sender died',
                   state = CASE WHEN i.attempts < $2 THEN 'pending' ELSE 'failed' END,
                   settled_at = CASE WHEN i.attempts < $2 THEN NULL ELSE now() END
               WHERE i.item_id = ANY (ARRAY(
                   SELECT s.item_id FROM revision_items s WHERE s.state = 'sending' AND NOT EXISTS (
                       SELECT 1 FROM workers w WHERE w.owner = s.owner AND w.beat_at > now() - $1::interval)
                   FOR UPDATE OF s SKIP LOCKED))
               AND {_STATE} = 'sending' RETURNING i.item_id, i.group_id, i.bot_id),
           turns AS (
               UPDATE group_turns t SET held_by = NULL, next_at = now() + interval '1 s'
               FROM dead WHERE t.group_id = dead.group_id AND t.held_by = dead.item_id),
           slots AS (
               UPDATE bot_slots s SET held_by = NULL, free_at = now() + interval '1 s'
               FROM dead WHERE s.bot_id = dead.bot_id AND s.held_by = dead.item_id::text)
           SELECT count(*) FROM dead""",  # noqa: S608 (our own words)
        silent,
        REVISION_ATTEMPTS,
    )
    return count


async def close(tx: Tx) -> int:
    """What was waiting in superseded and stopped revisions, a chunk of it."""
    count: int = await tx.fetchval(
        f"""WITH closed AS (
               UPDATE revision_items i SET state = 'cancelled', settled_at = now() WHERE item_id = ANY (ARRAY(
                   SELECT i.item_id FROM revisions r JOIN revision_items i USING (revision_id)
                   WHERE r.finished_at IS NULL AND r.state <> 'running' AND i.state = 'pending' LIMIT $1
                   FOR UPDATE OF i SKIP LOCKED))
               AND {_STATE} = 'pending' RETURNING 1)
           SELECT count(*) FROM closed""",  # noqa: S608 (our own words)
        _CHUNK,
    )
    return count


async def expire(tx: Tx) -> int:
    """Messages of recalls that became too old while they waited, a chunk of them."""
    count: int = await tx.fetchval(
        f"""WITH closed AS (
               UPDATE revision_items i SET state = 'not_recallable', reason = 'older than 48 hours', settled_at = now()
               WHERE item_id = ANY (ARRAY(
                   SELECT item_id FROM revision_items
                   WHERE state = 'pending' AND deadline IS NOT NULL AND deadline <= now() LIMIT $1
                   FOR UPDATE SKIP LOCKED))
               AND {_STATE} = 'pending' RETURNING 1)
           SELECT count(*) FROM closed""",  # noqa: S608 (our own words)
        _CHUNK,
    )
    return count


async def page(
    tx: Tx, broadcast_id: int, revision_id: int, *, state: str | None, after_group: int, limit: int
) -> list[ItemView] | None:
    """By group; None where the broadcast has no such revision."""
    mine = "SELECT EXISTS (SELECT 1 FROM revisions WHERE revision_id = $1 AND broadcast_id = $2)"
    if not await tx.fetchval(mine, revision_id, broadcast_id):
        return None
    rows = await tx.fetch(
        """SELECT i.delivery_id, i.group_id, i.bot_id, g.title, i.state, i.attempts, i.reason, i.settled_at
           FROM revision_items i JOIN groups g USING (group_id)
           WHERE i.revision_id = $1 AND i.group_id > $2 AND ($3::text IS NULL OR i.state = $3)
           ORDER BY i.group_id LIMIT $4""",
        revision_id,
        after_group,
        state,
        limit,
    )
    return [ItemView(**dict(row)) for row in rows]
