"""Obedience to 429: no request before its time, to a chat or to the whole bot."""

from __future__ import annotations

import asyncio
import time

import pytest
from common.ids import BotId
from common.telegram.errors import Flood
from common.telegram.floods import FloodMemory

BOT, OTHER = BotId(1), BotId(2)


async def free(memory: FloodMemory, bot: BotId, chat: int | None) -> bool:
    try:
        async with asyncio.timeout(0.05):
            await memory.wait(bot, chat)
    except (TimeoutError, Flood):
        return False
    return True


async def test_a_chats_flood_stops_that_chat_only() -> None:
    memory = FloodMemory()
    memory.note(BOT, 7, Flood(30))
    assert not await free(memory, BOT, 7)
    assert await free(memory, BOT, 8)
    assert await free(memory, OTHER, 7)


@pytest.mark.parametrize(("chat", "seconds"), [(7, 60), (7, 10_072), (None, 3)])
async def test_a_minute_and_more_or_no_chat_means_the_whole_bot(chat: int | None, seconds: float) -> None:
    memory = FloodMemory()
    memory.note(BOT, chat, Flood(seconds))
    assert not await free(memory, BOT, 8)
    assert not await free(memory, BOT, None)
    assert await free(memory, OTHER, 8)


async def test_a_short_time_is_waited_for_in_place() -> None:
    memory = FloodMemory()
    memory.note(BOT, 7, Flood(0.1))
    started = time.monotonic()
    await memory.wait(BOT, 7)
    assert time.monotonic() - started >= 0.1


async def test_a_long_time_is_the_callers_and_is_told_exactly() -> None:
    memory = FloodMemory()
    memory.note(BOT, 7, Flood(30))
    with pytest.raises(Flood) as flood:
        await memory.wait(BOT, 7)
    assert 29 < flood.value.retry_after <= 30


async def test_what_is_over_is_forgotten() -> None:
    memory = FloodMemory()
    for chat in range(100):
        memory.note(BOT, chat, Flood(0.01))
    await asyncio.sleep(0.02)
    for chat in range(100):
        await memory.wait(BOT, chat)
    assert memory._until == {}


async def test_a_shorter_flood_does_not_shorten_a_longer_one() -> None:
    """Two calls in flight may both be refused, and the answers come in any order."""
    memory = FloodMemory()
    memory.note(BOT, 7, Flood(30))
    memory.note(BOT, 7, Flood(0.01))
    await asyncio.sleep(0.02)
    assert not await free(memory, BOT, 7)
