"""The loop that settles what others left: lost jobs, dead senders, ended broadcasts, scheduled ones whose time has
come.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta

from common.bus.publisher import Publisher
from common.ids import JobId
from common.jobs import PlanBroadcast
from common.queues import GROUP_MESSAGE_QUEUE
from common.store import broadcasts, in_hand, reaping
from common.store.pool import Pool
from common.telemetry import metrics

from tgms.leader import Leader
from tgms.rounds import rounds
from tgms.rules.patience import LATE, SILENT, Steadiness

_INTERVAL = 1.0  # seconds
_STUCK = timedelta(seconds=60)
_FORGOTTEN = timedelta(hours=1)
_log = logging.getLogger(__name__)


class Reaper:
    """Under the lease; each round is one transaction."""

    def __init__(self, pool: Pool, publisher: Publisher, leader: Leader) -> None:
        self._pool = pool
        self._publisher = publisher
        self._leader = leader
        self._steadiness = Steadiness()

    async def run(self, stop: asyncio.Event) -> None:
        """Every second."""
        await rounds("reaper", self._round, stop, self._leader, interval=_INTERVAL)

    async def _round(self) -> None:
        async with self._pool.transaction("reaper") as tx:
            await self._leader.fence(tx)
            steady = self._steadiness.begins(time.monotonic(), await reaping.ahead(tx))
            counts = {
                "unslotted": await in_hand.unslot(tx, "deliveries", LATE),
                "orphans": await reaping.orphans(tx, SILENT) if steady else 0,
                "stuck": await reaping.stuck_slots(tx, _STUCK),
                "cancelled": await reaping.close_cancelled(tx),
                "expired": await reaping.expire(tx),
            }
            await reaping.forget_workers(tx, _FORGOTTEN)
            done = await broadcasts.finish(tx)
            unplanned = await broadcasts.start_scheduled(tx) + await broadcasts.unplanned(tx)
        self._steadiness.ended(time.monotonic())
        await self._plan(unplanned)
        for what, count in counts.items():
            metrics.REAPED.labels(what).inc(count)
        if any(counts.values()) or done:
            _log.info("reaped", extra={key: n for key, n in counts.items() if n} | {"done": done})

    async def _plan(self, unplanned: list[int]) -> None:
        for broadcast_id in unplanned:
            job = PlanBroadcast(broadcast_id=broadcast_id)
            await self._publisher.publish(GROUP_MESSAGE_QUEUE, job, job_id=JobId(f"plan:{broadcast_id}"))
