"""A reply's turn among a bot's send slots: it takes the first that nobody holds, before any bulk not yet handed out."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from common.dbclock import DatabaseClock
from common.ids import BotId
from common.records import Turn
from common.store import slots
from common.store.pool import Pool, Tx
from common.window import RoundTrips, free_at

_PATIENCE = 1.0  # seconds; then it is said without a turn, for a 429 is better than silence
_LOOK = 0.05  # seconds


class Turns:
    """One a process: the smallest round trip seen is that of all its calls."""

    def __init__(self, pool: Pool, clock: DatabaseClock) -> None:
        self._pool = pool
        self._clock = clock
        self._trips = RoundTrips()

    async def next(self, bot_id: BotId, holder: str) -> Turn | None:
        """For a reply that found none when it was decided."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            async with self._pool.transaction("take turn") as tx:
                found = await slots.take(tx, bot_id, 1, holder)
            if found:
                return found[0]
            await asyncio.sleep(_LOOK)
        return None

    async def wait(self, turn: Turn) -> None:
        """Until the slot's last send has left Telegram's window."""
        await self._clock.sleep_until(turn.at)

    def answered(self, seconds: float) -> None:
        """A call took so long."""
        self._trips.add(seconds, now=time.monotonic())

    async def give_back(self, tx: Tx, turn: Turn | None) -> None:
        """After the answer, whatever it was."""
        if turn is not None:
            await slots.give_back(tx, turn, self._free_at())

    def _free_at(self) -> datetime:
        return free_at(self._clock.latest(), self._trips.floor)
