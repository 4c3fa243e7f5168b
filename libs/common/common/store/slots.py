"""Send slots of bots and chats: the one limiter that every process shares. Times are the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.ids import BotId
from common.records import FreeSlot, Turn
from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class Used:
    """Slots whose send was answered, and when that send no longer counts in Telegram's one-second window.

    `delivery_id` is the holder's: items of revisions are numbered with the deliveries. `items` is what it counts for
    the group, an album each of its own: the next may follow a second for each later.
    """

    delivery_id: int
    group_id: int
    bot_id: BotId
    slots: Sequence[int]
    free_at: datetime
    items: int = 1


async def provide(tx: Tx) -> None:
    """A row for each slot that a bot's rate has and the table lacks: a bot may be new, or faster than it was."""
    await tx.execute(
        """INSERT INTO bot_slots (bot_id, slot)
           SELECT b.bot_id, n FROM bots b CROSS JOIN LATERAL generate_series(1, b.per_second) n
           WHERE NOT EXISTS (SELECT 1 FROM bot_slots s WHERE s.bot_id = b.bot_id AND s.slot = n)
           ON CONFLICT DO NOTHING"""
    )


async def free(tx: Tx, horizon: timedelta) -> list[FreeSlot]:
    """Those that become free within `horizon`, of bots that may send, the earliest first; none is locked."""
    rows = await tx.fetch(
        """SELECT s.bot_id, s.slot, greatest(s.free_at, clock_timestamp()) AS free_at
           FROM bot_slots s JOIN bots b USING (bot_id)
           WHERE s.held_by IS NULL AND s.free_at <= clock_timestamp() + $1::interval
               AND s.slot <= rate_for(b.per_second, b.learned, b.learned_at, now())
               AND b.state = 'active' AND b.enabled AND coalesce(b.flood_until, to_timestamp(0)) <= clock_timestamp()
           ORDER BY s.free_at""",
        horizon,
    )
    return [FreeSlot(BotId(row["bot_id"]), row["slot"], row["free_at"]) for row in rows]


async def hold(tx: Tx, taken: Sequence[tuple[FreeSlot, str]]) -> set[tuple[int, int]]:
    """Assigned until their answers: bot and slot of those that are still as free as they were found.

    A reply may have taken one meanwhile, or is just taking it: that one is passed over.
    """
    rows = await tx.fetch(
        """UPDATE bot_slots s SET held_by = f.holder, held_at = clock_timestamp() FROM (
               SELECT b.bot_id, b.slot, t.holder
               FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::timestamptz[])
                       AS t (bot_id, slot, holder, free_at)
                   JOIN bot_slots b USING (bot_id, slot)
               WHERE b.held_by IS NULL AND b.free_at <= t.free_at FOR UPDATE OF b SKIP LOCKED) f
           WHERE s.bot_id = f.bot_id AND s.slot = f.slot AND s.held_by IS NULL RETURNING s.bot_id, s.slot""",
        [slot.bot_id for slot, _ in taken],
        [slot.slot for slot, _ in taken],
        [holder for _, holder in taken],
        [slot.free_at for slot, _ in taken],
    )
    return {(row["bot_id"], row["slot"]) for row in rows}


async def let_go(tx: Tx, taken: Sequence[tuple[FreeSlot, str]]) -> None:
    """Held, and nothing was assigned to it: as free as it was."""
    await tx.execute(
        """UPDATE bot_slots s SET held_by = NULL
           FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS t (bot_id, slot, holder)
           WHERE s.bot_id = t.bot_id AND s.slot = t.slot AND s.held_by = t.holder""",
        [slot.bot_id for slot, _ in taken],
        [slot.slot for slot, _ in taken],
        [holder for _, holder in taken],
    )


async def take(tx: Tx, bot_id: BotId, count: int, holder: str) -> list[Turn]:
    """For replies: the first that nobody holds. Bulk is handed out only shortly before its time, so they go first.

    While the bot is flooded they are a trickle, all in one slot: one a second, as into a single chat.
    """
    rows = await tx.fetch(
        """UPDATE bot_slots s SET held_by = $3, held_at = clock_timestamp() FROM (
               SELECT f.bot_id, f.slot FROM bot_slots f JOIN bots b USING (bot_id)
               WHERE f.bot_id = $1 AND f.held_by IS NULL
                   AND f.slot <= CASE WHEN b.flood_until > now() THEN 1
                                      ELSE rate_for(b.per_second, b.learned, b.learned_at, now()) END
               ORDER BY f.free_at LIMIT $2 FOR UPDATE OF f SKIP LOCKED) free
           WHERE s.bot_id = free.bot_id AND s.slot = free.slot RETURNING s.slot, s.free_at""",
        bot_id,
        count,
        holder,
    )
    return sorted((Turn(bot_id, row["slot"], holder, row["free_at"]) for row in rows), key=lambda turn: turn.at)


async def give_back(tx: Tx, turn: Turn, free_at: datetime) -> None:
    """A reply's, free when its send has left Telegram's window."""
    await tx.execute(
        """UPDATE bot_slots SET held_by = NULL, free_at = greatest(free_at, $4)
           WHERE bot_id = $1 AND slot = $2 AND held_by = $3""",
        turn.bot_id,
        turn.slot,
        turn.holder,
        free_at,
    )


async def release(tx: Tx, used: Sequence[Used]) -> None:
    """After their answers: free when the send has left Telegram's window, for the bot and for the group."""
    each = [(u, slot) for u in used for slot in u.slots]
    await tx.execute(
        """UPDATE bot_slots s SET held_by = NULL, free_at = greatest(s.free_at, u.free_at)
           FROM unnest($1::bigint[], $2::smallint[], $3::timestamptz[], $4::text[]) AS u (bot_id, slot, free_at, holder)
           WHERE s.bot_id = u.bot_id AND s.slot = u.slot AND s.held_by = u.holder""",
        [u.bot_id for u, _ in each],
        [slot for _, slot in each],
        [u.free_at for u, _ in each],
        [str(u.delivery_id) for u, _ in each],
    )
    await tx.execute(
        """UPDATE group_turns t SET held_by = NULL, recent = u.kept,
               next_at = greatest(t.next_at, u.free_at + (u.items - 1) * interval '1 s',
                   CASE WHEN cardinality(u.kept) >= 20 THEN u.kept[1] + interval '59 s' END)
           FROM (SELECT n.group_id, n.free_at, n.items,
                     (g.recent || array_fill(n.free_at, ARRAY[n.items]))
                         [greatest(1, cardinality(g.recent) + n.items - 19):] AS kept
                 FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::int[])
                     AS n (group_id, free_at, delivery_id, items)
                 JOIN group_turns g ON g.group_id = n.group_id AND g.held_by = n.delivery_id) u
           WHERE t.group_id = u.group_id""",
        [u.group_id for u in used],
        [u.free_at for u in used],
        [u.delivery_id for u in used],
        [u.items for u in used],
    )


async def flood_chat(tx: Tx, group_id: int, wait: timedelta) -> None:
    """Nothing more to this group until then."""
    await tx.execute(
        "UPDATE group_turns SET next_at = greatest(next_at, clock_timestamp() + $2::interval) WHERE group_id = $1",
        group_id,
        wait,
    )
