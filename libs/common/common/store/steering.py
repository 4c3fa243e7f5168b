"""What operators do with the deliveries of a broadcast that ended badly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from common.store.broadcasts import State
from common.store.events import DELIVERY, TELL, TOLD_DELIVERIES
from common.store.groups import SENDABLE
from common.store.pool import Tx
from common.store.states import state_of

MOST: Final = 50_000  # deliveries a call: who waits for an answer has two seconds
_STATE: Final = state_of("d")
_SURELY_ONE = 2048  # letters of two UTF-16 units each fit into one message


@dataclass(frozen=True, slots=True)
class Standing:
    """A broadcast as far as steering asks; `expired` and `asked_at` by the database's clock."""

    broadcast_id: int
    state: State
    bot_ids: list[int] | None
    expired: bool
    asked_at: datetime
    priority: int = 5
    recalled: bool = False


async def lock(tx: Tx, broadcast_id: int, within: list[int] | None) -> Standing | None:
    """None for one that is not there, or may reach any other bot."""
    row = await tx.fetchrow(
        """SELECT broadcast_id, state, bot_ids, coalesce(expires_at <= now(), false) AS expired, now() AS asked_at,
               priority, EXISTS (SELECT 1 FROM revisions r
                   WHERE r.broadcast_id = broadcasts.broadcast_id AND r.kind = 'recall') AS recalled
           FROM broadcasts WHERE broadcast_id = $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[]) FOR UPDATE""",
        broadcast_id,
        within,
    )
    return Standing(**dict(row)) if row else None


async def again(
    tx: Tx, broadcast_id: int, state: str, only: Sequence[int] | None = None, before: datetime | None = None
) -> int:
    """Up to `MOST` of its deliveries in that state wait once more, where their groups can be sent to; how many. A group
    may have another bot since: not one that the broadcast's key was not for. What had failed under a pointer follows
    it; what is in doubt there stays so, for the group that it leads to may have it already.

    What has ended since `before` has been tried since, and whoever says how it ended has not seen it.
    """
    count: int = await tx.fetchval(
        f"""WITH chosen AS (
               SELECT d.delivery_id, g.bot_id
               FROM deliveries d JOIN groups g USING (group_id) JOIN broadcasts b USING (broadcast_id)
               WHERE d.broadcast_id = $1 AND d.state = $2 AND (b.bot_ids IS NULL OR g.bot_id = ANY(b.bot_ids))
                   AND ($3::bigint[] IS NULL OR d.delivery_id IN (SELECT unnest($3::bigint[])))
                   AND ($4::timestamptz IS NULL OR d.settled_at < $4)
                   AND ({SENDABLE} OR g.phase = 'migrated' AND $2 = 'failed') LIMIT $5),
           again AS (
               UPDATE deliveries d SET state = 'pending', attempts = 0, unsent = 0, reason = NULL, settled_at = NULL,
                   not_before = to_timestamp(0), bot_id = chosen.bot_id
               FROM chosen WHERE d.delivery_id = chosen.delivery_id AND {_STATE} = $2 RETURNING 1),
           reopened AS (
               UPDATE broadcasts SET state = 'running', finished_at = NULL, pause_reason = NULL
               WHERE broadcast_id = $1 AND state = 'done' AND EXISTS (SELECT 1 FROM again))
           SELECT count(*) FROM again""",  # noqa: S608 (our own words)
        broadcast_id,
        state,
        None if only is None else list(only),
        before,
        MOST,
    )
    return count


async def mark_sent(
    tx: Tx, broadcast_id: int, only: Sequence[int] | None = None, before: datetime | None = None
) -> int:
    """Up to `MOST` unknown ones that somebody has seen in their groups, before that time; how many.

    Of one in parts it was the part that is unknown: those that follow it are still to be sent, unless the broadcast was
    recalled.

    Where a sender died in a text's first part nobody has written how many there are: the next sender sees whether any
    is left. What can have only one, by its length, needs no sender; a cancelled broadcast has none to ask, and none
    knows the text any more that an edit has replaced.
    """
    count: int = await tx.fetchval(
        f"""WITH seen AS (
               SELECT d.delivery_id, (d.parts_done + 1 < d.parts
                       OR d.parts = 1 AND d.reason = 'sender died' AND b.state <> 'cancelled'
                           AND coalesce(d.edition, b.edition) >= b.said_since
                           AND b.content ->> 'method' = 'sendMessage'
                           AND (b.content -> 'params' ->> 'text' LIKE '%{{{{%'
                               OR char_length(b.content -> 'params' ->> 'text') > {_SURELY_ONE}))
                   AND NOT EXISTS (SELECT 1 FROM revisions r WHERE r.broadcast_id = $1 AND r.kind = 'recall') AS more
               FROM deliveries d JOIN broadcasts b USING (broadcast_id)
               WHERE d.broadcast_id = $1 AND d.state = 'unknown'
                   AND ($2::bigint[] IS NULL OR d.delivery_id IN (SELECT unnest($2::bigint[])))
                   AND ($3::timestamptz IS NULL OR d.settled_at < $3) LIMIT $4),
           settled AS (
               UPDATE deliveries d SET parts_done = d.parts_done + 1,
                   state = CASE WHEN seen.more THEN 'pending' ELSE 'sent' END,
                   attempts = CASE WHEN seen.more THEN 0 ELSE d.attempts END, reason = 'seen by an operator',
                   settled_at = CASE WHEN seen.more THEN NULL ELSE now() END
               FROM seen WHERE d.delivery_id = seen.delivery_id AND {_STATE} = 'unknown' RETURNING {DELIVERY}),
           reopened AS (
               UPDATE broadcasts SET state = 'running', finished_at = NULL, pause_reason = NULL
               WHERE broadcast_id = $1 AND state = 'done' AND EXISTS (SELECT 1 FROM settled WHERE state = 'pending')),
           {TOLD_DELIVERIES}, {TELL}
           SELECT count(*) FROM settled""",  # noqa: S608 (our own words)
        broadcast_id,
        None if only is None else list(only),
        before,
        MOST,
    )
    return count
