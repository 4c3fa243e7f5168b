"""The database's clock, as this process sees it: slot times are its times, for machines' clocks differ."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

from common.store.pool import Pool

_SAMPLES = 8
_INTERVAL = 10.0  # seconds between measurements


class DatabaseClock:
    """`now` costs nothing: the offset is measured, the smallest round trip of a few giving the best estimate."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._offset = 0.0  # seconds to add to the monotonic clock

    async def run(self, stop: asyncio.Event) -> None:
        """Measures again and again, for quartz drifts."""
        while not stop.is_set():
            await self.measure()
            try:
                await asyncio.wait_for(stop.wait(), _INTERVAL)
            except TimeoutError:
                continue

    async def measure(self) -> None:
        """One connection, a few questions."""
        best = float("inf")
        async with self._pool.transaction("clock") as tx:
            for _ in range(_SAMPLES):
                asked = time.monotonic()
                answer: datetime = await tx.fetchval("SELECT clock_timestamp()")
                trip = time.monotonic() - asked
                if trip < best:
                    best, self._offset = trip, answer.timestamp() - (asked + trip / 2)

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.fromtimestamp(time.monotonic() + self._offset, UTC)

    async def sleep_until(self, when: datetime, *, early: timedelta = timedelta()) -> None:
        """Returns at once for a time that is past."""
        seconds = when.timestamp() - early.total_seconds() - (time.monotonic() + self._offset)
        if seconds > 0:
            await asyncio.sleep(seconds)
