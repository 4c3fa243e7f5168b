"""What this process knows of Telegram's window: by the database's clock, and by the round trips of every process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

from common.dbclock import DatabaseClock
from common.errors import StoreUnavailable
from common.store import round_trips
from common.store.pool import Pool
from common.telemetry.redact import describe
from common.window import WINDOW, Seen, free_at

_INTERVAL = 2.0  # seconds
_log = logging.getLogger(__name__)


class SendWindow:
    """A slot that one process frees is another's next: what all have seen holds for it, also in a new process."""

    def __init__(self, pool: Pool, clock: DatabaseClock) -> None:
        self.clock = clock
        self._pool = pool
        self._shared = Seen()
        self._own = Seen()  # not yet told

    def answered(self, seconds: float) -> None:
        """A call that did what it should took so long: a refusal of our own or of a gateway never went all the way.

        Nor does what took longer than the window say anything of the shortest way.
        """
        if seconds < WINDOW.total_seconds():
            self._own += Seen(1, seconds, seconds)

    def free_at(self) -> datetime:
        """When the slot of a send that was answered just now may be used again."""
        return free_at(self.clock.latest(), self.floor)

    @property
    def floor(self) -> timedelta:
        """See `Seen.floor`."""
        return (self._shared + self._own).floor

    async def run(self, stop: asyncio.Event) -> None:
        """Tells and learns, again and again."""
        while not stop.is_set():
            try:
                await self.exchange()
            except StoreUnavailable as error:
                _log.warning("round trips can't be exchanged", extra={"error": describe(error)})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _INTERVAL)

    async def exchange(self) -> None:
        """Once; StoreUnavailable leaves what was not told for the next time."""
        known, told = self._shared, self._own
        self._shared, self._own = known + told, Seen()
        try:
            async with self._pool.transaction("round trips") as tx:
                self._shared = await round_trips.exchange(tx, told)
        except StoreUnavailable:
            self._shared, self._own = known, told + self._own
            raise
