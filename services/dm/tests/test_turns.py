"""Replies draw on the same send slots as broadcasts, and go before what is not handed out yet."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from common.congestion import Refusal
from common.errors import RetryLater
from common.ids import BotId
from common.store import congestion, slots
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


async def refuse(db: Database, *chats: int, seconds: float = 20) -> None:
    """As senders that got these 429s."""
    async with db.transaction() as tx:
        await congestion.note(tx, [Refusal(_BOT, chat, timedelta(seconds=seconds)) for chat in chats])


async def flooded(db: Database) -> bool:
    async with db.transaction() as tx:
        return await congestion.stopped(tx, _BOT) is not None


async def test_a_replys_429_counts_with_those_of_the_senders(ada: User) -> None:
    await refuse(ada.db, -1, -2)
    assert not await flooded(ada.db)
    await ada.sim.admin(
        "PUT", "faults", rules=[{"kind": "http_429", "method": "sendMessage", "times": 1, "retry_after": 1}]
    )
    assert [did.status for did in await ada.writes("/help")] == ["error", "ok"]
    assert await flooded(ada.db)


async def test_what_is_held_back_here_is_no_429(ada: User) -> None:
    await ada.sim.admin("PUT", "faults", rules=[{"kind": "http_429", "method": "sendMessage", "retry_after": 70}])
    ends = []
    for _ in range(3):
        with pytest.raises(RetryLater):
            await ada.writes("/help")
        async with ada.db.transaction() as tx:
            ends.append(await tx.fetchval("SELECT flood_until FROM bots WHERE learned = 15"))
    assert ends[0] is not None
    assert len(set(ends)) == 1


async def test_a_flooded_bots_replies_are_said_one_by_one_and_the_others_come_again(ada: User) -> None:
    await refuse(ada.db, -1, -2, -3)
    assert len(await ada.writes("/help")) == 1
    async with ada.db.transaction() as tx:
        [turn] = await slots.take(tx, _BOT, 1, "another reply")
    began, job = time.monotonic(), ada.job(await ada.posts("/help"))
    with pytest.raises(RetryLater, match="flood") as caught:
        await ada.brings(job)
    assert (caught.value.delay, caught.value.counts) == (timedelta(seconds=5), False)
    assert time.monotonic() - began < 0.8, "it keeps nobody waiting"
    assert await held(ada.db) == 1
    async with ada.db.transaction() as tx:
        await slots.give_back(tx, turn, turn.at)
    assert len(await ada.brings(job)) == 1
    assert await held(ada.db) == 0


async def test_what_is_sent_back_leaves_its_slot_to_others(ada: User) -> None:
    rule = {"kind": "http_429", "method": "sendMessage", "times": 1, "retry_after": 30}
    await ada.sim.admin("PUT", "faults", rules=[rule])
    with pytest.raises(RetryLater):
        await ada.writes("/help")
    assert await held(ada.db) == 0
