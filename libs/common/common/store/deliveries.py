"""The ledger: one row for each group of a broadcast, which ends in exactly one terminal state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.ids import BotId
from common.records import Begun, Candidate
from common.store import events, slots
from common.store.broadcasts import Targets
from common.store.events import DELIVERY, TOLD_DELIVERIES, WANTED
from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended; `state` is terminal, or `pending` for another attempt after `delay`."""

    delivery_id: int
    state: str
    message_id: int | None = None
    reason: str | None = None
    delay: timedelta = timedelta()
    message_ids: list[int] | None = None  # an album's


async def plan(tx: Tx, broadcast_id: int, targets: Targets, *, limit: int) -> int:
    """The next chunk of a broadcast's deliveries; 0 when all are there. One statement, whatever the number."""
    made: int = await tx.fetchval(
        """WITH chunk AS (
               SELECT g.group_id, g.bot_id FROM groups g
               WHERE g.group_id > (SELECT planned_to FROM broadcasts WHERE broadcast_id = $1)
                   AND ($2 OR g.group_id = ANY($3::bigint[]) OR g.tags && $4::text[])
                   AND NOT (g.group_id = ANY($5::bigint[]) OR g.tags && $6::text[])
                   AND ($7::bigint[] IS NULL OR g.bot_id = ANY($7::bigint[]))
                   AND g.final_message_allowed AND g.out_reason IS NULL
                   AND g.phase IN ('discovered', 'growth', 'monitoring')
               ORDER BY g.group_id LIMIT $8),
           made AS (
               INSERT INTO deliveries (broadcast_id, group_id, bot_id)
               SELECT $1, group_id, bot_id FROM chunk ON CONFLICT DO NOTHING),
           turns AS (INSERT INTO group_turns (group_id) SELECT group_id FROM chunk ON CONFLICT DO NOTHING),
           noted AS (
               UPDATE broadcasts SET planned_to = c.last, total = total + c.n
               FROM (SELECT max(group_id) AS last, count(*) AS n FROM chunk) c
               WHERE broadcast_id = $1 AND c.n > 0)
           SELECT count(*) FROM chunk""",
        broadcast_id,
        targets.all_groups,
        targets.group_ids,
        targets.tags,
        targets.exclude_ids,
        targets.exclude_tags,
        targets.bot_ids,
        limit,
    )
    return made


async def candidates(tx: Tx, wanted: Mapping[BotId, int], horizon: timedelta) -> list[Candidate]:
    """For each bot up to so many of each running broadcast, to groups whose turn it may be within `horizon`."""
    rows = await tx.fetch(
        """SELECT c.delivery_id, b.broadcast_id, c.group_id, w.bot_id, b.priority, c.due_at
           FROM unnest($1::bigint[], $2::int[]) AS w (bot_id, n)
           CROSS JOIN broadcasts b
           CROSS JOIN LATERAL (
               SELECT d.delivery_id, d.group_id,
                   next_in_window(clock_timestamp(), g.timezone, g.window_from, g.window_to) AS due_at
               FROM deliveries d JOIN group_turns t USING (group_id) JOIN groups g USING (group_id)
               WHERE d.broadcast_id = b.broadcast_id AND d.bot_id = w.bot_id AND d.state = 'pending'
                   AND d.not_before <= clock_timestamp()
                   AND t.held_by IS NULL AND t.next_at <= clock_timestamp() + $3::interval
               ORDER BY d.not_before, d.delivery_id LIMIT w.n) c
           WHERE b.state = 'running'""",
        list(wanted),
        list(wanted.values()),
        horizon,
    )
    return [Candidate(**dict(row)) for row in rows]


async def postpone(tx: Tx, closed: Sequence[Candidate]) -> None:
    """Until their groups' windows open."""
    await tx.execute(
        """UPDATE deliveries d SET not_before = c.due_at
           FROM unnest($1::bigint[], $2::timestamptz[]) AS c (delivery_id, due_at)
           WHERE d.delivery_id = c.delivery_id AND d.state = 'pending'""",
        [candidate.delivery_id for candidate in closed],
        [candidate.due_at for candidate in closed],
    )


async def assign(tx: Tx, chosen: Sequence[tuple[Candidate, datetime]]) -> list[datetime]:
    """Gives each its slot's time, or its group's turn where that is later; the times."""
    ids = [candidate.delivery_id for candidate, _ in chosen]
    times = await slots.take_turns(tx, chosen)
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
           FROM unnest($1::bigint[], $2::timestamptz[]) AS j (delivery_id, slot_at), groups g, broadcasts b, bots
           WHERE d.delivery_id = j.delivery_id AND d.slot_at = j.slot_at AND d.state = 'slotted'
               AND g.group_id = d.group_id AND b.broadcast_id = d.broadcast_id AND b.state = 'running'
               AND bots.bot_id = d.bot_id AND bots.state = 'active'
               AND coalesce(bots.flood_until, to_timestamp(0)) <= clock_timestamp()
           RETURNING d.delivery_id, d.broadcast_id, d.group_id, d.bot_id, g.chat_id, d.attempts, b.on_unknown, g.title,
               g.variables, b.edition""",
        [delivery_id for delivery_id, _ in jobs],
        [slot_at for _, slot_at in jobs],
        owner,
    )
    return [Begun(**dict(row)) for row in rows]


async def sending(tx: Tx, delivery_ids: Sequence[int]) -> set[int]:
    """Which of them are at Telegram."""
    rows = await tx.fetch(
        "SELECT delivery_id FROM deliveries WHERE delivery_id = ANY($1::bigint[]) AND state = 'sending'",
        list(delivery_ids),
    )
    return {row["delivery_id"] for row in rows}


async def settle(tx: Tx, outcomes: Sequence[Outcome]) -> None:
    """Each exactly once: a row that is not `sending` any more stays as it is."""
    wanted = await tx.fetch(
        f"""WITH settled AS (UPDATE deliveries d SET state = o.state, message_id = coalesce(o.message_id, d.message_id),
               message_ids = coalesce(o.message_ids::bigint[], d.message_ids), reason = o.reason,
               not_before = clock_timestamp() + o.delay, owner = NULL,
               settled_at = CASE WHEN o.state <> 'pending' THEN now() END
           FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::interval[], $6::text[])
               AS o (delivery_id, state, message_id, reason, delay, message_ids)
           WHERE d.delivery_id = o.delivery_id AND d.state = 'sending' RETURNING {DELIVERY}),
           {TOLD_DELIVERIES}
           {WANTED}""",  # noqa: S608 (our own words)
        [o.delivery_id for o in outcomes],
        [o.state for o in outcomes],
        [o.message_id for o in outcomes],
        [o.reason for o in outcomes],
        [o.delay for o in outcomes],
        # As text, for unnest would take the arrays apart; Telegram's albums have ten messages at most.
        [None if o.message_ids is None else f"{{{','.join(map(str, o.message_ids))}}}" for o in outcomes],
    )
    await events.tell(tx, wanted)
