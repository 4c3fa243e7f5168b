"""Remembers 429 answers in this process, and keeps calls away from a chat or bot until their time is over."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from common.congestion import BOT_WIDE
from common.ids import BotId
from common.telegram.errors import Flood, Held
from common.telemetry import metrics

_WORTH_WAITING = 5.0  # seconds that a caller waits in place; longer ones are its scheduler's


class Pacer(Protocol):
    """Decides when a call may go out."""

    async def wait(self, bot_id: BotId, chat_id: int | None) -> None:
        """Returns when the call may be made; Held where that is too far away to wait for."""

    def note(self, bot_id: BotId, chat_id: int | None, flood: Flood) -> None:
        """Told of each 429."""


class FloodMemory:
    """No pacing of its own, only obedience: no request to a chat or bot before its retry_after is over."""

    def __init__(self) -> None:
        self._until: dict[tuple[BotId, int | None], float] = {}

    async def wait(self, bot_id: BotId, chat_id: int | None) -> None:
        """Waits a few seconds in place; Held with the rest of the time where it is longer."""
        while (left := self._left(bot_id, chat_id)) > 0:
            if left > _WORTH_WAITING:
                raise Held(left)
            await asyncio.sleep(left)

    def note(self, bot_id: BotId, chat_id: int | None, flood: Flood) -> None:
        """A minute and more, or a call without a chat, means the whole bot."""
        whole = chat_id is None or flood.retry_after >= BOT_WIDE.total_seconds()
        metrics.FLOOD_WAIT_SECONDS.labels("bot" if whole else "chat").observe(flood.retry_after)
        key = (bot_id, None if whole else chat_id)
        # Several calls in flight may be refused, and their answers come in any order: the longest holds.
        self._until[key] = max(self._until.get(key, 0.0), time.monotonic() + flood.retry_after)

    def _left(self, bot_id: BotId, chat_id: int | None) -> float:
        now, left = time.monotonic(), 0.0
        for key in ((bot_id, None), (bot_id, chat_id)):
            until = self._until.get(key)
            if until is not None and until <= now:
                del self._until[key]
            elif until is not None:
                left = max(left, until - now)
        return left
