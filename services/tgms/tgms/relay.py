"""The loop that brings outbox rows to the broker, in their order, under the lease."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from common.bus.publisher import Publisher
from common.errors import BrokerUnavailable, LeaseLost, StoreUnavailable, Unroutable
from common.store import outbox
from common.store.outbox import Waiting
from common.store.pool import Pool
from common.telemetry import metrics
from common.telemetry.redact import describe

from tgms.leader import Leader
from tgms.rounds import timed

BATCH = 200  # rows a transaction
_log = logging.getLogger(__name__)


class Relay:
    """A row counts as published only after the broker's confirm; consumers know one published twice by its job id."""

    def __init__(self, pool: Pool, publisher: Publisher, leader: Leader, *, interval: float) -> None:
        self._pool = pool
        self._publisher = publisher
        self._leader = leader
        self._interval = interval
        self._waits = False  # told once an outage

    async def run(self, stop: asyncio.Event) -> None:
        """At once again while something was published, else after the interval."""
        while not stop.is_set():
            if await self._leader.elected(self._interval) and await self._tick():
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._interval)

    async def _tick(self) -> int:
        """No transaction is open while the broker is asked: its lock on the lease would keep it from being renewed."""
        try:
            with timed("relay"):
                rows = await self._due()
                published = await self._publish(rows) if rows else []
                if published:
                    await self._done(published)
        except (StoreUnavailable, LeaseLost) as error:
            if not self._waits:
                _log.warning("relay waits", extra={"error": describe(error)})
            self._waits = True
            return 0
        self._waits = False
        metrics.OUTBOX_RELAYED.inc(len(published))
        return len(published)

    async def _due(self) -> list[Waiting]:
        async with self._pool.transaction("outbox due") as tx:
            await self._leader.fence(tx)
            return await outbox.due(tx, BATCH)

    async def _done(self, published: list[Waiting]) -> None:
        async with self._pool.transaction("outbox published") as tx:
            await self._leader.fence(tx)
            await outbox.published(tx, published)

    async def _publish(self, rows: list[Waiting]) -> list[Waiting]:
        """Those that the broker confirmed; written in one go, so that order is kept and confirms overlap."""
        sends = (self._publisher.send(row.envelope) for row in rows)
        results = await asyncio.gather(*sends, return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        for failure in failed:
            if not isinstance(failure, BrokerUnavailable | Unroutable):
                raise failure
        if failed:
            _log.warning("relay could not publish", extra={"rows": len(failed), "error": describe(failed[0])})
        return [row for row, result in zip(rows, results, strict=True) if result is None]
