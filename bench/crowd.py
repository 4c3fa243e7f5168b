"""People who write to a bot and wait for its answer: from the webhook's POST to the reply's arrival at Telegram."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import count
from typing import Any

import aiohttp

from bench.fleet import Fleet

_LOOK = 0.001  # seconds between looks at the log; what is measured are the times that stand in it
_PATIENCE = 30.0  # seconds


@dataclass
class Crowd:
    """Each user has one message on the way at a time, so the next reply in a chat is the answer to it."""

    fleet: Fleet
    session: aiohttp.ClientSession
    log: TextIOWrapper
    waiting: dict[int, asyncio.Future[float]] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=lambda: count(1_000_000_000))

    async def each_writes(self, users: Sequence[int], times: int) -> list[float]:
        """All at once, so many messages each, one after the other; seconds from POST to reply."""
        following = asyncio.create_task(self._follow())
        try:
            found = await asyncio.gather(*(self._talk(user, times) for user in users))
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
        return [seconds for each in found for seconds in each]

    async def answered(self, users: Sequence[int]) -> None:
        """Waits for the answers to what they wrote by other ways."""
        self.waiting |= {user: asyncio.get_running_loop().create_future() for user in users}
        following = asyncio.create_task(self._follow())
        async with asyncio.timeout(_PATIENCE):
            await asyncio.gather(*self.waiting.values())
        following.cancel()
        self.waiting.clear()

    async def _talk(self, user: int, times: int) -> list[float]:
        return [await self._ask(user) for _ in range(times)]

    async def _ask(self, user: int) -> float:
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.waiting[user] = answer
        update = _update(next(self.numbers), user)
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.fleet.secret}
        begun = time.time()  # the simulated Telegram's clock is this machine's too
        async with self.session.post(self.fleet.webhook, json=update, headers=headers) as response:
            response.raise_for_status()
        async with asyncio.timeout(_PATIENCE):
            return await answer - begun

    async def _follow(self) -> None:
        rest = ""
        while True:
            lines = (rest + self.log.read()).split("\n")
            rest = lines.pop()
            for line in lines:
                self._note(json.loads(line))
            await asyncio.sleep(_LOOK)

    def _note(self, effect: dict[str, Any]) -> None:
        answer = self.waiting.get(effect["chat_id"]) if effect["method"] == "sendMessage" else None
        if answer is not None and not answer.done():
            answer.set_result(float(effect["at"]))


def _update(number: int, user: int) -> dict[str, Any]:
    person = {"id": user, "first_name": "Ada", "language_code": "en"}
    return {
        "update_id": number,
        "message": {
            "message_id": number,
            "from": person | {"is_bot": False},
            "chat": person | {"type": "private"},
            "date": int(time.time()),
            "text": "/help",
            "entities": [{"type": "bot_command", "offset": 0, "length": 5}],
        },
    }
