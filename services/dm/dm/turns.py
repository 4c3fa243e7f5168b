"""A reply's turn among a bot's send slots: it takes the first that nobody holds, before any bulk not yet handed out."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from common.errors import RetryLater
from common.ids import BotId
from common.records import Turn
from common.send_window import SendWindow
from common.store import congestion, slots
from common.store.pool import Pool, Tx

_PATIENCE = 1.0  # seconds; then it is said without a turn, for a 429 is better than silence
_LOOK = 0.05  # seconds
_TRICKLE = timedelta(seconds=5)  # until a flooded bot's reply asks again


class Turns:
    """One a process."""

    def __init__(self, pool: Pool, window: SendWindow) -> None:
        self._pool = pool
        self._window = window

    async def next(self, bot_id: BotId, holder: str) -> Turn | None:
        """For a reply that found none when it was decided. RetryLater while the bot is flooded: whoever waited here
        for the one slot that is left would keep other bots' users waiting.
        """
        began = time.monotonic()
        found, flood = await self._look(bot_id, holder)
        while not found and time.monotonic() - began < _PATIENCE:
            if flood is not None:
                raise RetryLater(min(flood, _TRICKLE), "flood", counts=False)
            await asyncio.sleep(_LOOK)
            async with self._pool.transaction("take turn") as tx:
                found = await slots.take(tx, bot_id, 1, holder)
        return found[0] if found else None

    async def wait(self, turn: Turn) -> None:
        """Until the slot's last send has left Telegram's window."""
        await self._window.clock.sleep_until(turn.at)

    def answered(self, seconds: float) -> None:
        """A call took so long."""
        self._window.answered(seconds)

    async def give_back(self, tx: Tx, turn: Turn | None) -> None:
        """After the answer, whatever it was."""
        if turn is not None:
            await slots.give_back(tx, turn, self._window.free_at())

    async def _look(self, bot_id: BotId, holder: str) -> tuple[list[Turn], timedelta | None]:
        async with self._pool.transaction("take turn") as tx:
            found = await slots.take(tx, bot_id, 1, holder)
            return found, None if found else await congestion.stopped(tx, bot_id)
