"""Replies draw on the same send slots as broadcasts, and go before what is not handed out yet."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from common.errors import RetryLater
from common.ids import BotId
from common.store import slots
from common.testing.postgres import Database

from .driver import BOT_ID, User

_BOT = BotId(BOT_ID)


async def held(db: Database) -> int:
    async with db.transaction() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM bot_slots WHERE held_by IS NOT NULL"))


async def free_in(db: Database, seconds: float) -> None:
    """As if every slot had just been used."""
    async with db.transaction() as tx:
        await tx.execute("UPDATE bot_slots SET free_at = now() + $1::interval", timedelta(seconds=seconds))


async def test_a_reply_uses_a_slot_and_gives_it_back_for_a_second_later(ada: User) -> None:
    await ada.writes("/help")
    assert await held(ada.db) == 0
    async with ada.db.transaction() as tx:
        used = await tx.fetchval("SELECT count(*) FROM bot_slots WHERE free_at > now() + interval '0.8 s'")
    assert used == 1


async def test_a_reply_waits_for_the_first_slot_that_is_free(ada: User) -> None:
    await free_in(ada.db, 0.6)
    began = time.monotonic()
    await ada.writes("/help")
    assert 0.5 < time.monotonic() - began < 1.5


async def test_an_answer_to_a_button_needs_no_slot(ada: User) -> None:
    await ada.writes("/language")
    await free_in(ada.db, 30)
    began = time.monotonic()
    (answer,) = await ada.presses("nonsense")
    assert answer.method == "answerCallbackQuery"
    assert time.monotonic() - began < 1


async def test_where_bulk_holds_every_slot_the_reply_takes_the_first_that_comes_back(ada: User) -> None:
    async with ada.db.transaction() as tx:
        taken = await slots.take(tx, _BOT, 30, "bulk")
    assert len(taken) == 30
    replying = asyncio.create_task(ada.writes("/help"))
    await asyncio.sleep(0.2)
    assert not replying.done()
    async with ada.db.transaction() as tx:
        await slots.give_back(tx, taken[0], taken[0].at)
    assert len(await replying) == 1
    assert await held(ada.db) == 29


async def test_a_reply_is_said_without_a_slot_rather_than_not_at_all(ada: User) -> None:
    async with ada.db.transaction() as tx:
        await tx.execute("DELETE FROM bot_slots")
    assert len(await ada.writes("/help")) == 1


async def test_what_is_sent_back_leaves_its_slot_to_others(ada: User) -> None:
    rule = {"kind": "http_429", "method": "sendMessage", "times": 1, "retry_after": 30}
    await ada.sim.admin("PUT", "faults", rules=[rule])
    with pytest.raises(RetryLater):
        await ada.writes("/help")
    assert await held(ada.db) == 0
