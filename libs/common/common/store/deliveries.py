"""The ledger: one row for each group of a broadcast, which ends in exactly one terminal state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from common.ids import BotId, ChatId
from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery that may be sent soon."""

    delivery_id: int
    broadcast_id: int
    group_id: int
    bot_id: BotId
    priority: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A delivery whose intent is committed: from here on only its outcome is open."""

    delivery_id: int
    broadcast_id: int
    group_id: int
    bot_id: BotId
    chat_id: ChatId
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended; `state` is terminal, or `pending` for another attempt."""

    delivery_id: int
    state: str
    message_ids: list[int] | None = None
    reason: str | None = None


async def plan(tx: Tx, broadcast_id: int, *, limit: int) -> int:
    """The next chunk of a broadcast's deliveries; 0 when all are there. One statement, whatever the number."""
    planned: int = await tx.fetchval(
        """WITH chunk AS (
               SELECT g.group_id, g.bot_id FROM groups g, broadcasts b
               WHERE b.broadcast_id = $1 AND g.group_id > b.planned_to AND g.group_id = ANY(
                   SELECT jsonb_array_elements_text(b.targets -> 'group_ids')::bigint)
               ORDER BY g.group_id LIMIT $2),
           made AS (
               INSERT INTO deliveries (broadcast_id, group_id, bot_id)
               SELECT $1, group_id, bot_id FROM chunk ON CONFLICT DO NOTHING),
           turns AS (INSERT INTO group_turns (group_id) SELECT group_id FROM chunk ON CONFLICT DO NOTHING),
           noted AS (
               UPDATE broadcasts SET planned_to = (SELECT max(group_id) FROM chunk), total = total + (SELECT count(*) FROM chunk)
               WHERE broadcast_id = $1 AND EXISTS (SELECT 1 FROM chunk))
           SELECT count(*) FROM chunk""",
        broadcast_id,
        limit,
    )
    return planned


async def candidates(tx: Tx, wanted: Mapping[BotId, int], horizon: timedelta) -> list[Candidate]:
    """For each bot up to so many of each running broadcast, to groups whose turn it may be within `horizon`."""
    rows = await tx.fetch(
        """SELECT c.delivery_id, b.broadcast_id, c.group_id, w.bot_id, b.priority
           FROM unnest($1::bigint[], $2::int[]) AS w (bot_id, n)
           CROSS JOIN broadcasts b
           CROSS JOIN LATERAL (
               SELECT d.delivery_id, d.group_id FROM deliveries d JOIN group_turns t USING (group_id)
               WHERE d.broadcast_id = b.broadcast_id AND d.bot_id = w.bot_id AND d.state = 'pending'
                   AND (d.not_before IS NULL OR d.not_before <= clock_timestamp())
                   AND t.held_by IS NULL AND t.next_at <= clock_timestamp() + $3::interval
               ORDER BY d.delivery_id LIMIT w.n) c
           WHERE b.state = 'running'""",
        list(wanted),
        list(wanted.values()),
        horizon,
    )
    return [Candidate(**dict(row)) for row in rows]


async def assign(tx: Tx, chosen: Sequence[tuple[Candidate, datetime]]) -> list[datetime]:
    """Gives each its slot's time and its group's turn."""
    ids = [candidate.delivery_id for candidate, _ in chosen]
    rows = await tx.fetch(
        """UPDATE group_turns t SET held_by = c.delivery_id
           FROM unnest($1::bigint[], $2::bigint[]) AS c (group_id, delivery_id) WHERE t.group_id = c.group_id
           RETURNING t.held_by, t.next_at""",
        [candidate.group_id for candidate, _ in chosen],
        ids,
    )
    turn = {row["held_by"]: row["next_at"] for row in rows}
    times = [max(at, turn.get(candidate.delivery_id, at)) for candidate, at in chosen]
    await tx.execute(
        """UPDATE deliveries d SET state = 'slotted', slot_at = c.slot_at
           FROM unnest($1::bigint[], $2::timestamptz[]) AS c (delivery_id, slot_at)
           WHERE d.delivery_id = c.delivery_id""",
        ids,
        times,
    )
    return times


async def begin(tx: Tx, jobs: Sequence[tuple[int, datetime]], owner: str) -> list[Begun]:
    """The intents: only deliveries that still have this very slot; what was paused, cancelled or moved is left out."""
    rows = await tx.fetch(
        """UPDATE deliveries d SET state = 'sending', owner = $3, attempts = d.attempts + 1
           FROM unnest($1::bigint[], $2::timestamptz[]) AS j (delivery_id, slot_at), groups g, broadcasts b
           WHERE d.delivery_id = j.delivery_id AND d.slot_at = j.slot_at AND d.state = 'slotted'
               AND g.group_id = d.group_id AND b.broadcast_id = d.broadcast_id AND b.state = 'running'
           RETURNING d.delivery_id, d.broadcast_id, d.group_id, d.bot_id, g.chat_id, d.attempts""",
        [delivery_id for delivery_id, _ in jobs],
        [slot_at for _, slot_at in jobs],
        owner,
    )
    return [Begun(**dict(row)) for row in rows]


async def settle(tx: Tx, outcomes: Sequence[Outcome]) -> None:
    """Each exactly once: a row that is not `sending` any more stays as it is."""
    await tx.execute(
        """UPDATE deliveries d SET state = o.state, message_ids = coalesce(o.message_ids::bigint[], d.message_ids),
               reason = o.reason, settled_at = CASE WHEN o.state = 'pending' THEN NULL ELSE now() END, owner = NULL
           FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS o (delivery_id, state, message_ids, reason)
           WHERE d.delivery_id = o.delivery_id AND d.state = 'sending'""",
        [o.delivery_id for o in outcomes],
        [o.state for o in outcomes],
        [None if o.message_ids is None else "{" + ",".join(map(str, o.message_ids)) + "}" for o in outcomes],
        [o.reason for o in outcomes],
    )


async def content(tx: Tx, broadcast_id: int) -> dict[str, Any]:
    """What the broadcast says."""
    found: dict[str, Any] = await tx.fetchval("SELECT content FROM broadcasts WHERE broadcast_id = $1", broadcast_id)
    return found
