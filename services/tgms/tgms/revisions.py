"""The loop that plans recalls and edits, and settles what others left of them."""

from __future__ import annotations

import asyncio
import logging
import time

from common.store import in_hand, reaping, revision_items, revisions
from common.store.pool import Pool

from tgms.leader import Leader
from tgms.rounds import rounds
from tgms.rules.patience import LATE, SILENT, Steadiness

_INTERVAL = 1.0  # seconds
_CHUNK = 5000  # items planned in one transaction
_log = logging.getLogger(__name__)


class Revisions:
    """Under the lease."""

    def __init__(self, pool: Pool, leader: Leader) -> None:
        self._pool = pool
        self._leader = leader
        self._steadiness = Steadiness()

    async def run(self, stop: asyncio.Event) -> None:
        """Every second."""
        await rounds("revisions", self._round, stop, self._leader, interval=_INTERVAL)

    async def _round(self) -> None:
        async with self._pool.transaction("revisions") as tx:
            await self._leader.fence(tx)
            steady = self._steadiness.begins(time.monotonic(), await reaping.ahead(tx))
            counts = {
                "unslotted": await in_hand.unslot(tx, "revision_items", LATE),
                "orphans": await revision_items.orphans(tx, SILENT) if steady else 0,
                "closed": await revision_items.close(tx),
                "too_old": await revision_items.expire(tx),
                "planned": sum([await revisions.plan(tx, n, limit=_CHUNK) for n in await revisions.unplanned(tx)]),
            }
            done = await revisions.finish(tx)
        self._steadiness.ended(time.monotonic())
        if any(counts.values()) or done:
            _log.info("revised", extra={key: n for key, n in counts.items() if n} | {"done": done})
