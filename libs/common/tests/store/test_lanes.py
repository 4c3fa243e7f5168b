"""The pacer reads what a tick can hand out, however many broadcasts run, and each of them has its turn."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from common.ids import BotId
from common.records import Candidate
from common.store import deliveries
from common.store.pool import Tx
from common.testing.postgres import Database

AHEAD = timedelta(milliseconds=150)
# Bot 1 has forty broadcasts of priority 5 to its hundred groups, and two more; bot 2 has one.
ROWS = """
INSERT INTO bots (bot_id, username, token, token_key) VALUES (1, 'a', 'x', 'k1'), (2, 'b', 'x', 'k1');
INSERT INTO groups (bot_id, chat_id) SELECT 1, -n FROM generate_series(1, 100) n;
INSERT INTO groups (bot_id, chat_id) SELECT 2, -n FROM generate_series(101, 200) n;
INSERT INTO group_turns (group_id) SELECT group_id FROM groups;
INSERT INTO broadcasts (state, content, priority)
    SELECT 'running', '{}', CASE n WHEN 41 THEN 9 WHEN 42 THEN 1 ELSE 5 END
    FROM generate_series(1, 42) n;
INSERT INTO deliveries (broadcast_id, group_id, bot_id)
    SELECT b, n, 1 FROM generate_series(1, 42) b, generate_series(1, 100) n;
INSERT INTO deliveries (broadcast_id, group_id, bot_id) SELECT 7, n, 2 FROM generate_series(101, 200) n;
"""


async def found(tx: Tx, bot: int, slots: int, turn: int) -> list[Candidate]:
    return await deliveries.candidates(tx, {BotId(bot): slots}, AHEAD, turn=turn)


async def test_a_tick_reads_twice_its_slots_of_each_priority(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        read = Counter(candidate.priority for candidate in await found(tx, 1, 30, 0))
        assert read == {9: 30, 5: 60, 1: 30}
        assert len(await found(tx, 2, 30, 0)) == 30, "what others have is not its concern"


async def test_each_broadcast_has_its_turn_about_as_often(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        turns = Counter[int]()
        for turn in range(800):
            turns.update({c.broadcast_id for c in await found(tx, 1, 1, turn) if c.priority == 5})
        assert set(turns) == set(range(1, 41))
        assert 15 < min(turns.values()) < 40 < max(turns.values()) < 65


async def test_a_broadcast_that_has_nothing_to_hand_out_takes_nobodys_turn(db: Database) -> None:
    """None for the bot, or only for a group whose turn is later."""
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        await tx.execute("UPDATE deliveries SET state = 'sent' WHERE broadcast_id < 20 AND broadcast_id <> 3")
        await tx.execute("DELETE FROM deliveries WHERE broadcast_id BETWEEN 20 AND 42 AND group_id <> 100")
        await tx.execute("UPDATE group_turns SET next_at = now() + interval '1 min' WHERE group_id = 100")
        for turn in range(20):
            assert Counter(c.broadcast_id for c in await found(tx, 1, 9, turn)) == {3: 9}


async def test_one_that_waits_for_more_slots_is_read_first(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        for turn in range(20):
            read = await deliveries.candidates(tx, {BotId(1): 1}, AHEAD, turn=turn, first={BotId(1): 30})
            assert 30 in {c.broadcast_id for c in read}
