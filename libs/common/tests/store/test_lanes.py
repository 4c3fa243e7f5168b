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


async def test_a_tick_reads_two_broadcasts_of_each_priority(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        read = Counter(candidate.priority for candidate in await found(tx, 1, 30, 0))
        assert read == {9: 30, 5: 60, 1: 30}
        assert len(await found(tx, 2, 30, 0)) == 30, "what others have is not its concern"


async def test_each_broadcast_has_its_turn_as_often(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        turns = Counter[int]()
        for turn in range(40):
            turns.update({c.broadcast_id for c in await found(tx, 1, 1, turn) if c.priority == 5})
        assert turns == dict.fromkeys(range(1, 41), 2)


async def test_a_broadcast_that_has_none_for_the_bot_takes_nobodys_turn(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        await tx.execute("UPDATE deliveries SET state = 'sent' WHERE broadcast_id NOT IN (3, 30)")
        assert {c.broadcast_id for c in await found(tx, 1, 1, 0)} == {3, 30}
        await tx.execute("UPDATE broadcasts SET state = 'paused' WHERE broadcast_id = 3")
        assert {c.broadcast_id for c in await found(tx, 1, 1, 1)} == {30}
