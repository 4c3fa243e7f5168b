"""Exactly-once marks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from common.ids import BotId, UpdateId
from common.store import inbox
from common.store.pool import Pool, Tx
from common.testing.postgres import Database

BOT, UPDATE = BotId(1), UpdateId(7)


async def mark(pool: Pool, bot: BotId = BOT, update: UpdateId = UPDATE) -> bool:
    async with pool.transaction("test") as tx:
        return await inbox.mark(tx, bot, update)


async def test_of_many_at_once_one_is_the_first(db: Database) -> None:
    assert sorted(await asyncio.gather(*(mark(db.pool) for _ in range(25)))) == [False] * 24 + [True]


async def test_the_same_number_of_another_bot_is_another_update(db: Database) -> None:
    assert await mark(db.pool, BotId(1))
    assert await mark(db.pool, BotId(2))


async def test_a_mark_that_was_rolled_back_was_never_made(db: Database) -> None:
    """Whoever waited for it takes the update over: the effects are gone with the mark."""
    async with db.pool.transaction("first") as tx, rolled_back(tx):
        assert await inbox.mark(tx, BOT, UPDATE)
        second = asyncio.create_task(mark(db.pool))
        await asyncio.sleep(0.05)  # time to overtake, if it could
        assert not second.done()
    assert await second


@asynccontextmanager
async def rolled_back(tx: Tx) -> AsyncIterator[None]:
    """Before the transaction around it ends."""
    inner = tx.transaction()
    await inner.start()
    yield
    await inner.rollback()


async def test_only_old_marks_are_pruned_and_not_too_many_at_once(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO inbox (bot_id, update_id, received_at)
               SELECT 1, n, now() - interval '9 days' FROM generate_series(1, 10500) n"""
        )
        await inbox.mark(tx, BOT, UpdateId(0))
    pruned = []
    for _ in range(3):
        async with db.transaction() as tx:
            pruned.append(await inbox.prune(tx, timedelta(days=8)))
    assert pruned == [10_000, 500, 0]
    assert not await mark(db.pool, update=UpdateId(0))
