"""The ledger: one row for each group of a broadcast, which ends in exactly one terminal state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic_core import to_json

from common.ids import BotId
from common.records import Begun, Candidate
from common.store import events
from common.store.broadcasts import Targets
from common.store.events import DELIVERY, TOLD_DELIVERIES, WANTED
from common.store.groups import SENDABLE
from common.store.pool import Tx
from common.store.states import state_of

# Reasons of attempts that may have arrived: a delivery that was to be sent once more after one of them and is not ends
# `unknown`, whatever became of the second attempt.
IN_DOUBT: Final = ("unknown", "transient", "sender died")
# Whether a delivery's message ids are another chat's than its group has now, or the one that its group points to: there
# they name other people's messages. What an older version wrote says no chat; it is the group's where that had moved
# before the broadcast was made, or never.
_STATE: Final = state_of("d")
ELSEWHERE: Final = """coalesce(d.sent_chat_id <> coalesce(g.migrated_to, g.chat_id),
                   g.migrated_to IS NOT NULL OR g.migrated_at >= b.created_at, false)"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the attempt at that slot ended.

    `state` is terminal, or `pending` for another attempt after `delay`, or for the next part; `filled` are the group's
    values where the message has several parts; `chat_id` is where it was sent to; `unsent` is an attempt that surely
    did nothing, which is not counted.
    """

    delivery_id: int
    slot_at: datetime
    state: str
    message_ids: Sequence[int] = ()
    reason: str | None = None
    delay: timedelta = timedelta()
    parts: int = 1
    parts_done: int = 0
    filled: Mapping[str, Any] | None = None
    chat_id: int | None = None
    unsent: bool = False


async def plan(tx: Tx, broadcast_id: int, targets: Targets, *, limit: int) -> int:
    """The next chunk of a broadcast's deliveries; 0 when all are there. One statement, whatever the number."""
    condition, values = targets.condition(after=2)
    made: int = await tx.fetchval(
        f"""WITH chunk AS (
               SELECT g.group_id, g.bot_id FROM groups g
               WHERE g.group_id > (SELECT planned_to FROM broadcasts WHERE broadcast_id = $1)
                   AND {condition} AND {SENDABLE}
               ORDER BY g.group_id LIMIT $2),
           made AS (
               INSERT INTO deliveries (broadcast_id, group_id, bot_id)
               SELECT $1, group_id, bot_id FROM chunk ON CONFLICT DO NOTHING),
           turns AS (INSERT INTO group_turns (group_id) SELECT group_id FROM chunk ON CONFLICT DO NOTHING),
           noted AS (
               UPDATE broadcasts SET planned_to = c.last, total = total + c.n
               FROM (SELECT max(group_id) AS last, count(*) AS n FROM chunk) c
               WHERE broadcast_id = $1 AND c.n > 0)
           SELECT count(*) FROM chunk""",  # noqa: S608 (our own words)
        broadcast_id,
        limit,
        *values,
    )
    return made


async def analyze(tx: Tx, made: int) -> None:
    """Statistics of what a plan has filled, now; autovacuum would be minutes later, and is not waited for. Of less than
    a tenth of the deliveries that the server knows of they would say the same again.

    Until then the server takes the tables for as small as they were, and reads them whole for a few rows.
    """
    known: float = await tx.fetchval("SELECT reltuples FROM pg_class WHERE oid = 'deliveries'::regclass")
    if made >= known / 10:
        await tx.execute("ANALYZE (SKIP_LOCKED) deliveries, group_turns")


async def candidates(
    tx: Tx, wanted: Mapping[BotId, int], horizon: timedelta, *, turn: int, first: Mapping[BotId, int] | None = None
) -> list[Candidate]:
    """For each bot and priority up to twice so many as it has slots, to groups whose turn it may be within `horizon`:
    from running broadcasts in another order each `turn`, but from the `first` first.

    A broadcast with nothing to hand out costs a look, and takes nobody's turn. More are not read, for a tick has slots
    for the first of them only. A message that has begun is said to its end, whatever window closes or time to live ends
    meanwhile.
    """
    first = first or {}
    rows = await tx.fetch(
        f"""WITH running AS MATERIALIZED (
               SELECT broadcast_id, priority, items, expires_at FROM broadcasts WHERE state = 'running')
           SELECT c.delivery_id, c.broadcast_id, c.group_id, w.bot_id, p.priority, c.due_at, c.items,
               least(c.items, rate_for(bots.per_second, bots.learned, bots.learned_at, now())) AS slots
           FROM unnest($1::bigint[], $2::int[], $4::bigint[]) AS w (bot_id, n, first) JOIN bots USING (bot_id)
           CROSS JOIN (SELECT DISTINCT priority FROM running) p
           CROSS JOIN LATERAL (
               SELECT d.delivery_id, b.broadcast_id, d.group_id, d.due_at, b.items
               FROM (SELECT * FROM running r WHERE r.priority = p.priority
                     ORDER BY r.broadcast_id = w.first DESC, hashint8extended(r.broadcast_id, $5::bigint) OFFSET 0) b
               CROSS JOIN LATERAL (
                   SELECT d.delivery_id, d.group_id,
                       CASE WHEN d.parts_done > 0 THEN statement_timestamp() ELSE next_in_window(
                           statement_timestamp(), g.timezone, g.window_from, g.window_to) END AS due_at
                   FROM deliveries d CROSS JOIN LATERAL (  -- OFFSET 0: after the delivery, however few there seem
                       SELECT g.timezone, g.window_from, g.window_to FROM groups g JOIN group_turns t USING (group_id)
                       WHERE g.group_id = d.group_id AND g.bot_id + 0 = d.bot_id AND {SENDABLE} AND t.held_by IS NULL
                           AND turn_for(t.next_at, t.recent, b.items) <= clock_timestamp() + $3::interval OFFSET 0) g
                   WHERE d.broadcast_id = b.broadcast_id AND d.bot_id = w.bot_id AND d.state = 'pending'
                       AND d.not_before <= statement_timestamp()
                       AND (b.expires_at IS NULL OR b.expires_at > statement_timestamp() OR d.parts_done > 0)
                   ORDER BY d.not_before, d.delivery_id LIMIT w.n) d
               LIMIT 2 * w.n) c""",  # noqa: S608 (our own words)
        list(wanted),
        list(wanted.values()),
        horizon,
        [first.get(bot_id, 0) for bot_id in wanted],
        turn,
    )
    return [Candidate(**dict(row)) for row in rows]


async def postpone(tx: Tx, closed: Sequence[Candidate]) -> int:
    """Until their groups' windows open, as they are now: one may have been changed since the look. Whose group somebody
    is just changing is left to the next tick. How many were not.
    """
    status = await tx.execute(
        f"""UPDATE deliveries d
           SET not_before = next_in_window(statement_timestamp(), g.timezone, g.window_from, g.window_to)
           FROM unnest($1::bigint[], $2::bigint[]) AS c (delivery_id, group_id),
               (SELECT group_id, timezone, window_from, window_to FROM groups
                WHERE group_id = ANY($2::bigint[]) FOR SHARE SKIP LOCKED) g
           WHERE d.delivery_id = c.delivery_id AND g.group_id = c.group_id
               AND {_STATE} = 'pending'""",  # noqa: S608 (our own words)
        [candidate.delivery_id for candidate in closed],
        [candidate.group_id for candidate in closed],
    )
    return int(status.rpartition(" ")[2])


async def begin(tx: Tx, jobs: Sequence[tuple[int, datetime, int]], owner: str) -> list[Begun]:
    """The intents: only deliveries that still have this very slot and bot; what was paused, cancelled, moved, is too
    late or may not be sent to its group any more, or not by that bot, is left out.
    """
    rows = await tx.fetch(
        f"""UPDATE deliveries d SET state = 'sending', owner = $3, attempts = d.attempts + 1,
               edition = CASE WHEN d.parts_done = 0 THEN b.edition ELSE d.edition END
           FROM unnest($1::bigint[], $2::timestamptz[], $5::bigint[]) AS j (delivery_id, slot_at, bot_id), groups g,
               broadcasts b, bots
           WHERE d.delivery_id = j.delivery_id AND d.slot_at = j.slot_at AND {_STATE} = 'slotted'
               AND d.bot_id = j.bot_id AND g.group_id = d.group_id AND g.bot_id = d.bot_id AND {SENDABLE}
               AND b.broadcast_id = d.broadcast_id + 0 AND b.state = 'running'  -- + 0: not from it to all its rows
               AND (b.expires_at IS NULL OR b.expires_at > statement_timestamp() OR d.parts_done > 0)
               AND bots.bot_id = d.bot_id AND bots.state = 'active' AND bots.enabled
               AND coalesce(bots.flood_until, to_timestamp(0)) <= clock_timestamp()
           RETURNING d.delivery_id, d.broadcast_id, d.group_id, d.bot_id, g.chat_id, d.attempts, b.on_unknown,
               d.unsent, coalesce(d.reason = ANY($4::text[]), false) AS doubted,
               coalesce(d.filled ->> 'title', g.title) AS title,
               coalesce(d.filled -> 'variables', g.variables) AS variables, b.edition, d.parts, d.parts_done,
               d.parts_done > 0 AND coalesce(d.edition < b.said_since, false) AS outdated""",  # noqa: S608 (our own words)
        [delivery_id for delivery_id, _, _ in jobs],
        [slot_at for _, slot_at, _ in jobs],
        owner,
        list(IN_DOUBT),
        [bot_id for _, _, bot_id in jobs],
    )
    return [Begun(**dict(row)) for row in rows]


async def settle(tx: Tx, outcomes: Sequence[Outcome]) -> set[int]:
    """Each exactly once: an attempt that was given up meanwhile changes nothing. Which ones this wrote.

    What has begun goes before what has not, so that a group has its parts one soon after the other; attempts count anew
    for each part, and so does doubt. The ids are always one chat's: those of parts that went to the group's former chat
    are forgotten with the first one of the new chat.
    """
    row = await tx.fetchrow(
        f"""WITH settled AS (UPDATE deliveries d SET
               state = CASE WHEN o.state = 'failed' AND d.reason = ANY($10::text[]) THEN 'unknown' ELSE o.state END,
               reason = CASE WHEN d.reason = ANY($10::text[]) AND NOT o.onward AND o.state IN ('failed', 'pending')
                             THEN d.reason ELSE o.reason END,
               message_id = CASE WHEN o.moved THEN o.message_ids[1] ELSE coalesce(d.message_id, o.message_ids[1]) END,
               message_ids = CASE WHEN o.moved THEN o.message_ids ELSE d.message_ids || o.message_ids END,
               sent_chat_id = CASE WHEN o.placed THEN o.chat_id ELSE d.sent_chat_id END,
               parts = o.parts, parts_done = o.parts_done, filled = o.filled,
               attempts = CASE WHEN o.onward THEN 0 WHEN o.unsent THEN greatest(0, d.attempts - 1) ELSE d.attempts END,
               unsent = CASE WHEN o.unsent THEN least(d.unsent + 1, 100) ELSE 0 END,
               not_before = CASE WHEN o.onward THEN to_timestamp(-1) ELSE clock_timestamp() + o.delay END,
               owner = NULL, settled_at = CASE WHEN o.state <> 'pending' THEN now() END
           FROM (SELECT u.delivery_id, u.state, u.message_ids::bigint[], u.reason, u.delay, u.parts, u.parts_done,
                     u.filled::jsonb, u.slot_at, u.state = 'pending' AND u.parts_done > e.parts_done AS onward,
                     u.chat_id, u.unsent, u.message_ids <> '{{}}' AND e.sent_chat_id <> u.chat_id AS moved,
                     u.message_ids <> '{{}}' AND (e.sent_chat_id IS NOT NULL OR e.message_id IS NULL) AS placed
                 FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::interval[], $6::int[], $7::int[],
                     $8::text[], $9::timestamptz[], $11::bigint[], $12::bool[])
                     AS u (delivery_id, state, message_ids, reason, delay, parts, parts_done, filled, slot_at, chat_id,
                         unsent)
                 JOIN deliveries e USING (delivery_id)) o
           WHERE d.delivery_id = o.delivery_id AND d.slot_at = o.slot_at AND {_STATE} = 'sending'
           RETURNING {DELIVERY}),
           {TOLD_DELIVERIES}
           SELECT ARRAY(SELECT delivery_id FROM settled) AS settled,
               (SELECT jsonb_agg(w) FROM ({WANTED}) w) AS wanted""",  # noqa: S608 (our own words)
        [o.delivery_id for o in outcomes],
        [o.state for o in outcomes],
        # As text, for unnest would take the arrays apart.
        ["{" + ",".join(map(str, o.message_ids)) + "}" for o in outcomes],
        [o.reason for o in outcomes],
        [o.delay for o in outcomes],
        [o.parts for o in outcomes],
        [o.parts_done for o in outcomes],
        [None if o.filled is None else to_json(o.filled).decode() for o in outcomes],
        [o.slot_at for o in outcomes],
        list(IN_DOUBT),
        [o.chat_id for o in outcomes],
        [o.unsent for o in outcomes],
    )
    if row is None:  # never: it has no WHERE
        return set()
    await events.tell(tx, row["wanted"] or ())
    return set(row["settled"])


async def put_off(tx: Tx, jobs: Sequence[tuple[int, datetime]], delay: timedelta) -> None:
    """Without an attempt: what it needs is not there yet. Only those that still have this very slot."""
    await tx.execute(
        f"""UPDATE deliveries d SET state = 'pending', slot_at = NULL, not_before = clock_timestamp() + $3::interval
           FROM unnest($1::bigint[], $2::timestamptz[]) AS j (delivery_id, slot_at)
           WHERE d.delivery_id = j.delivery_id AND d.slot_at = j.slot_at AND {_STATE} = 'slotted'""",  # noqa: S608
        [delivery_id for delivery_id, _ in jobs],
        [slot_at for _, slot_at in jobs],
        delay,
    )


async def broadcast_of(tx: Tx, delivery_id: int) -> int | None:
    """None for a row that is gone."""
    found: int | None = await tx.fetchval("SELECT broadcast_id FROM deliveries WHERE delivery_id = $1", delivery_id)
    return found
