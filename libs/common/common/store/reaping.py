"""What is left by processes that are gone: jobs that nobody took, sends whose sender died, rows of ended broadcasts.

A row that somebody has locked is in good hands: it is passed over, for waiting while rows of one's own are locked ends
in deadlocks with those who have work.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from common.store.deliveries import IN_DOUBT
from common.store.events import DELIVERY, TELL, TOLD_DELIVERIES
from common.store.groups import WHY_NOT
from common.store.pool import Tx
from common.store.states import state_of

_STATE: Final = state_of("d")
# Whether the holder of that id is nobody, or done; each is looked up by its key, whatever else is in the tables.
_IDLE: Final = """coalesce((SELECT state FROM deliveries WHERE delivery_id = {0}),
                   (SELECT state FROM revision_items WHERE item_id = {0}), '') NOT IN ('slotted', 'sending')"""
_CHUNK = 5000  # rows a statement
# Its first doubt, whatever else was tried before it.
_ONCE_MORE = "b.on_unknown = 'resend_once' AND NOT coalesce(d.reason = ANY($2::text[]), false)"


async def orphans(tx: Tx, silent: timedelta) -> int:
    """Sends whose owner is silent may have happened or not: `unknown`, or once more where the broadcast says so."""
    return await _count(
        tx,
        f"""WITH settled AS (
               UPDATE deliveries d SET owner = NULL, reason = 'sender died',
                   state = CASE WHEN {_ONCE_MORE} THEN 'pending' ELSE 'unknown' END,
                   settled_at = CASE WHEN {_ONCE_MORE} THEN NULL ELSE now() END
               FROM broadcasts b
               WHERE b.broadcast_id = d.broadcast_id AND d.delivery_id = ANY (ARRAY(
                   SELECT s.delivery_id FROM deliveries s WHERE s.state = 'sending' AND NOT EXISTS (
                       SELECT 1 FROM workers w WHERE w.owner = s.owner AND w.beat_at > now() - $1::interval)
                   FOR UPDATE OF s SKIP LOCKED))
               AND {_STATE} = 'sending' RETURNING {DELIVERY}, b.items),
           turns AS (
               UPDATE group_turns t SET held_by = NULL, next_at = now() + settled.items * interval '1 s'
               FROM settled WHERE t.group_id = settled.group_id AND t.held_by = settled.delivery_id),
           slots AS (
               UPDATE bot_slots s SET held_by = NULL, free_at = now() + interval '1 s'
               FROM settled WHERE s.bot_id = settled.bot_id AND s.held_by = settled.delivery_id::text),
           {TOLD_DELIVERIES}, {TELL}
           SELECT count(*) FROM settled""",  # noqa: S608 (our own words)
        silent,
        list(IN_DOUBT),
    )


async def stuck_slots(tx: Tx, held: timedelta) -> int:
    """Slots and turns held for longer than any reply takes, by nobody who could give them back.

    A message that is slotted or being sent keeps its own, however long its upload takes: its state
    says when that is over.
    """
    return await _count(
        tx,
        f"""WITH old AS (
               SELECT bot_id, slot, held_by,
                   CASE WHEN held_by ~ '^[0-9]{{1,18}}$' THEN held_by::bigint END AS message
               FROM bot_slots WHERE held_at < now() - $1::interval AND held_by IS NOT NULL),
           freed AS (
               UPDATE bot_slots s SET held_by = NULL FROM (
                   SELECT b.bot_id, b.slot FROM old JOIN bot_slots b USING (bot_id, slot, held_by)
                   WHERE b.held_at < now() - $1::interval AND {_IDLE.format("old.message")}
                   FOR UPDATE OF b SKIP LOCKED) f
               WHERE s.bot_id = f.bot_id AND s.slot = f.slot RETURNING 1),
           over AS MATERIALIZED (  -- who holds it now is compared with whom the look at the ledgers was for
               SELECT group_id, held_by FROM group_turns t WHERE held_by IS NOT NULL AND {_IDLE.format("t.held_by")}),
           turns AS (
               UPDATE group_turns t SET held_by = NULL FROM (
                   SELECT g.group_id FROM over JOIN group_turns g USING (group_id, held_by)
                   FOR UPDATE OF g SKIP LOCKED) f
               WHERE t.group_id = f.group_id)
           SELECT count(*) FROM freed""",  # noqa: S608 (our own words)
        held,
    )


async def close_cancelled(tx: Tx) -> int:
    """Rows of cancelled broadcasts that are not at Telegram, a chunk of them."""
    return await _count(
        tx,
        f"""WITH settled AS (
               UPDATE deliveries d SET settled_at = now(),
                   state = CASE WHEN d.reason = ANY($2::text[]) THEN 'unknown' ELSE 'cancelled' END
               WHERE d.delivery_id = ANY (ARRAY(
                   SELECT o.delivery_id FROM deliveries o JOIN broadcasts b USING (broadcast_id)
                   WHERE b.state = 'cancelled' AND o.state IN ('pending', 'slotted') LIMIT $1
                   FOR UPDATE OF o SKIP LOCKED))
               AND {_STATE} IN ('pending', 'slotted') RETURNING {DELIVERY}),
           {TOLD_DELIVERIES}, {TELL}
           SELECT count(*) FROM settled""",  # noqa: S608 (our own words)
        _CHUNK,
        list(IN_DOUBT),
    )


async def expire(tx: Tx) -> int:
    """Rows whose broadcast's time to live is over, a chunk of them; a message that has begun is said to its end."""
    return await _count(
        tx,
        f"""WITH settled AS (
               UPDATE deliveries d SET settled_at = now(),
                   state = CASE WHEN d.reason = ANY($2::text[]) THEN 'unknown' ELSE 'expired' END
               WHERE d.delivery_id = ANY (ARRAY(
                   SELECT o.delivery_id FROM deliveries o JOIN broadcasts b USING (broadcast_id)
                   WHERE b.state IN ('running', 'paused') AND b.expires_at <= now() AND o.state = 'pending'
                       AND o.parts_done = 0 LIMIT $1 FOR UPDATE OF o SKIP LOCKED))
               AND {_STATE} = 'pending' RETURNING {DELIVERY}),
           {TOLD_DELIVERIES}, {TELL}
           SELECT count(*) FROM settled""",  # noqa: S608 (our own words)
        _CHUNK,
        list(IN_DOUBT),
    )


async def bar(tx: Tx, delivery_ids: Sequence[int]) -> int:
    """Rows of groups that nothing may be sent to any more: `failed`, as a lost group's, so that a retry takes them once
    the group is let in. What waits for a pointer goes elsewhere.
    """
    return await _count(
        tx,
        f"""WITH settled AS (
               UPDATE deliveries d SET settled_at = now(),
                   state = CASE WHEN d.reason = ANY($2::text[]) THEN 'unknown' ELSE 'failed' END,
                   reason = CASE WHEN d.reason = ANY($2::text[]) THEN d.reason ELSE {WHY_NOT} END
               FROM groups g
               WHERE g.group_id = d.group_id AND ({WHY_NOT}) IS NOT NULL  -- no index of such groups knows it
                   AND g.phase <> 'migrated'
                   AND d.delivery_id = ANY (ARRAY(
                       SELECT l.delivery_id FROM deliveries l WHERE l.delivery_id = ANY($1::bigint[])
                       FOR UPDATE SKIP LOCKED))
                   AND {_STATE} = 'pending' RETURNING {DELIVERY}),
           {TOLD_DELIVERIES}, {TELL}
           SELECT count(*) FROM settled""",  # noqa: S608 (our own words)
        list(delivery_ids),
        list(IN_DOUBT),
    )


async def beat(tx: Tx, owner: str) -> None:
    """This process lives. Of two at once the later one to be written is the later one: neither sets the other back."""
    await tx.execute(
        """INSERT INTO workers (owner, beat_at) VALUES ($1, clock_timestamp())
           ON CONFLICT (owner) DO UPDATE SET beat_at = clock_timestamp()""",
        owner,
    )


async def ahead(tx: Tx) -> float:
    """By how many seconds the database's clock is ahead of our monotonic one."""
    now: float = await tx.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    return now - time.monotonic()


async def forget_workers(tx: Tx, silent: timedelta) -> None:
    """Those that are gone for long."""
    await tx.execute("DELETE FROM workers WHERE beat_at < now() - $1::interval", silent)


async def _count(tx: Tx, sql: str, *arguments: object) -> int:
    found: int = await tx.fetchval(sql, *arguments)
    return found
