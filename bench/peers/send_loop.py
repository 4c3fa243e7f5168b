"""Sends the same message to each chat, so many at once: `send_loop.py aiohttp|aiogram URL TOKEN COUNT CONCURRENCY`.

Chats come on standard input, one a line; prints the seconds it took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import uvloop

TEXT = "We meet at noon, Group."
Send = Callable[[int], Awaitable[object]]


async def with_aiohttp(url: str, token: str, chats: list[int], concurrency: int) -> float:
    """As little as there can be between a loop and a socket."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send(chat: int) -> None:
            body = json.dumps({"chat_id": chat, "text": TEXT})
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{url}/bot{token}/sendMessage", data=body, headers=headers) as response:
                if not json.loads(await response.read())["ok"]:
                    raise RuntimeError(response.status)

        return await timed(send, chats, concurrency)


async def with_aiogram(url: str, token: str, chats: list[int], concurrency: int) -> float:
    """As aiogram's documentation shows it."""
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    session = AiohttpSession(api=TelegramAPIServer.from_base(url), limit=concurrency)
    async with Bot(token, session=session) as bot:
        return await timed(lambda chat: bot.send_message(chat, TEXT), chats, concurrency)


async def timed(send: Send, chats: list[int], concurrency: int) -> float:
    """Seconds for all, after a few that warm up."""
    await asyncio.gather(*(send(chat) for chat in chats[:concurrency]))
    rest = iter(chats[concurrency:])
    begun = time.monotonic()
    await asyncio.gather(*(_lane(send, rest) for _ in range(concurrency)))
    return time.monotonic() - begun


async def _lane(send: Send, chats: Iterator[int]) -> None:
    for chat in chats:
        await send(chat)


def main() -> None:
    """One line of JSON."""
    kind, url, token, count, concurrency = sys.argv[1:]
    chats = [int(line) for line in sys.stdin][: int(count)]
    run = {"aiohttp": with_aiohttp, "aiogram": with_aiogram}[kind]
    seconds = uvloop.run(run(url, token, chats, int(concurrency)))
    print(json.dumps({"sent": len(chats) - int(concurrency), "seconds": seconds}))


if __name__ == "__main__":
    main()
