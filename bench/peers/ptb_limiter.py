"""python-telegram-bot's Bot behind its AIORateLimiter: `ptb_limiter.py default|tuned`; see bench/throttlers.py.

An errand of one line of JSON on standard input; says `warm`, waits for a line, sends, says `sent`, waits for its end.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import uvloop
from telegram.ext import AIORateLimiter, ExtBot
from telegram.request import HTTPXRequest

TEXT = "We meet at noon, Group."
_RETRIES = 1000  # by default a flood's message is lost
_APART = 0.0355  # seconds; 31 of them come to more than a second however two round trips of 20-80 ms differ
_GROUP_APART = 3.01  # the same for 21 in a minute


def limiter(kind: str) -> AIORateLimiter:
    """Its defaults, or one message at a time: what its arguments can do against a strict window."""
    if kind == "default":
        return AIORateLimiter(max_retries=_RETRIES)
    return AIORateLimiter(1, _APART, 1, _GROUP_APART, max_retries=_RETRIES)


async def main(kind: str) -> None:
    """Each bot has a limiter of its own; all sends are asked for at once, as a loop over `create_task` does."""
    errand = json.loads(sys.stdin.readline())
    async with AsyncExitStack() as stack:
        bots: list[tuple[ExtBot[Any], dict[str, list[int]]]] = []
        for token, chats in errand["bots"].items():
            request = HTTPXRequest(connection_pool_size=256, pool_timeout=60)
            made = ExtBot(token, base_url=f"{errand['url']}/bot", request=request, rate_limiter=limiter(kind))
            bots.append((await stack.enter_async_context(made), chats))
        await _send([(bot, chats["warm"]) for bot, chats in bots])
        print("warm", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await _send([(bot, chats["chats"] * errand["each"]) for bot, chats in bots])
        print("sent", flush=True)
        await asyncio.to_thread(sys.stdin.readline)


async def _send(orders: Sequence[tuple[ExtBot[Any], Sequence[int]]]) -> None:
    await asyncio.gather(*(bot.send_message(chat, TEXT) for bot, chats in orders for chat in chats))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
