"""The database's clock, as this process sees it: slot times are its times, for machines' clocks differ."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime, timedelta

from common.errors import StoreUnavailable
from common.store.pool import Pool
from common.telemetry.redact import describe

_SAMPLES = 8
_INTERVAL = 10.0  # seconds between measurements
_TICK = 0.001  # seconds: what uvloop counts in; less would be no wait at all, again and again
_LOOK = 1.0  # seconds
_DRIFT = 50e-6  # seconds a second, of an ordinary quartz
_log = logging.getLogger(__name__)


class DatabaseClock:
    """`now` costs nothing: the offset is measured, and the measurement with the smallest round trip is believed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._offset = 0.0  # seconds to add to the monotonic clock
        self._uncertainty = float("inf")  # half of the round trip that gave it, growing with age
        self.ready = asyncio.Event()  # measured once

    async def run(self, stop: asyncio.Event) -> None:
        """Measures again and again, for quartz drifts."""
        while not stop.is_set():
            try:
                await self.measure()
            except StoreUnavailable as error:
                _log.warning("the database's clock can't be read", extra={"error": describe(error)})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _INTERVAL if self.ready.is_set() else 1.0)

    async def measure(self) -> None:
        """One transaction, a few questions. A busy moment's poor measurement does not move a good one."""
        self._uncertainty += _DRIFT * _INTERVAL
        async with self._pool.transaction("clock") as tx:
            for _ in range(_SAMPLES):
                asked = time.monotonic()
                answer: datetime = await tx.fetchval("SELECT clock_timestamp()")
                half = (time.monotonic() - asked) / 2
                if half < self._uncertainty:
                    self._uncertainty, self._offset = half, answer.timestamp() - (asked + half)
        self.ready.set()

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.fromtimestamp(time.monotonic() + self._offset, UTC)

    def latest(self) -> datetime:
        """The latest that it can be now: another process, or this one after its next measurement, may read so much."""
        return datetime.fromtimestamp(time.monotonic() + self._offset + self._uncertainty, UTC)

    async def sleep_until(self, when: datetime, *, early: timedelta = timedelta()) -> None:
        """Returns when it is surely that time, less `early`; at once for a time that is past.

        uvloop's timers count whole milliseconds and may come one and a half too soon: looked at once more. And at least
        each second, for the database's clock may be set while one sleeps.
        """
        wanted = when.timestamp() - early.total_seconds()
        while (seconds := wanted - (time.monotonic() + self._offset - self._uncertainty)) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(max(seconds, _TICK), _LOOK))
