"""The pacer looks at slots without locking them, and holds what is still as free as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from common.ids import BotId
from common.records import FreeSlot
from common.store import slots
from common.testing.postgres import Database

BOT, AHEAD = BotId(1), timedelta(milliseconds=150)
ROWS = """
INSERT INTO bots (bot_id, username, token, token_key, per_second) VALUES (1, 'b1', 'x', 'k1', 3);
INSERT INTO bot_slots (bot_id, slot) SELECT 1, n FROM generate_series(1, 3) n;
"""


async def hold(tx: Any, free: Sequence[FreeSlot]) -> set[int]:
    held = await slots.hold(tx, [(slot, "7") for slot in free])
    return {slot for _, slot in held}


async def test_who_only_looks_locks_nothing(db: Database) -> None:
    """Twenty times a second it wrote a lock for each free slot of each bot: 290 GB of log a day for a hundred bots."""
    async with db.transaction() as tx:
        await tx.execute(ROWS)
    async with db.transaction() as pacer, db.transaction() as dm:
        assert len(await slots.free(pacer, AHEAD)) == 3
        assert await pacer.fetchval("SELECT pg_current_xact_id_if_assigned()") is None
        assert len(await slots.take(dm, BOT, 3, "reply")) == 3


async def test_what_a_reply_has_taken_meanwhile_is_its_own(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
    async with db.transaction() as pacer:
        free = await slots.free(pacer, AHEAD)
        async with db.transaction() as dm:
            [turn] = await slots.take(dm, BOT, 1, "reply")
        assert await hold(pacer, free) == {1, 2, 3} - {turn.slot}
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT held_by FROM bot_slots WHERE slot = $1", turn.slot) == "reply"


async def test_what_a_reply_has_used_meanwhile_is_free_later_than_it_was(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
    async with db.transaction() as pacer:
        free = await slots.free(pacer, AHEAD)
        async with db.transaction() as dm:
            [turn] = await slots.take(dm, BOT, 1, "reply")
            await slots.give_back(dm, turn, free[0].free_at + timedelta(seconds=1))
        assert await hold(pacer, free) == {1, 2, 3} - {turn.slot}


async def test_nobody_waits_for_a_reply_that_is_just_taking_one(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
    async with db.transaction() as dm, db.transaction() as pacer:
        free = await slots.free(pacer, AHEAD)
        [turn] = await slots.take(dm, BOT, 1, "reply")
        assert await asyncio.wait_for(hold(pacer, free), 5) == {1, 2, 3} - {turn.slot}


async def test_what_is_let_go_is_as_free_as_it_was(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        before = await tx.fetch("SELECT slot, free_at, held_by FROM bot_slots ORDER BY slot")
        free = await slots.free(tx, AHEAD)
        assert await hold(tx, free[:2]) == {slot.slot for slot in free[:2]}
        await slots.let_go(tx, [(slot, "8") for slot in free])
        assert await tx.fetchval("SELECT count(*) FROM bot_slots WHERE held_by = '7'") == 2
        await slots.let_go(tx, [(slot, "7") for slot in free])
        assert await tx.fetch("SELECT slot, free_at, held_by FROM bot_slots ORDER BY slot") == before
