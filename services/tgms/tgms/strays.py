"""The loop that settles what waits for a group that can't have it as it is; the reaper never waits for it."""

from __future__ import annotations

import asyncio
import logging

from common.store import strays
from common.store.pool import Pool
from common.telemetry import metrics

from tgms.leader import Leader
from tgms.rounds import rounds

_INTERVAL = 1.0  # seconds
_log = logging.getLogger(__name__)


class Strays:
    """Under the lease; each round is one transaction, and goes on where the last one ended."""

    def __init__(self, pool: Pool, leader: Leader) -> None:
        self._pool = pool
        self._leader = leader
        self._place = strays.START

    async def run(self, stop: asyncio.Event) -> None:
        """Every second."""
        await rounds("strays", self._round, stop, self._leader, interval=_INTERVAL)

    async def _round(self) -> None:
        async with self._pool.transaction("strays") as tx:
            await self._leader.fence(tx)
            found = await strays.look(tx, self._place)
            self._place = found.reached  # whatever comes of these: the others have their turn, and these a next one
            counts = await strays.settle(tx, found)
        for what, count in counts.items():
            metrics.REAPED.labels(what).inc(count)
        if any(counts.values()):
            _log.info("strays settled", extra={what: n for what, n in counts.items() if n})
