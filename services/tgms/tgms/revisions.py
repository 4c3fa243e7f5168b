"""The loop that plans recalls and edits, and settles what others left of them."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from common.store import revision_items, revisions
from common.store.pool import Pool

from tgms.leader import Leader
from tgms.rounds import rounds

_INTERVAL = 1.0  # seconds
_CHUNK = 5000  # items planned in one transaction
_LATE = timedelta(seconds=5)  # after a slot: its job is lost
_SILENT = timedelta(seconds=8)  # a sender beats every 2
_log = logging.getLogger(__name__)


class Revisions:
    """Under the lease."""

    def __init__(self, pool: Pool, leader: Leader) -> None:
        self._pool = pool
        self._leader = leader

    async def run(self, stop: asyncio.Event) -> None:
        """Every second."""
        await rounds("revisions", self._round, stop, self._leader, interval=_INTERVAL)

    async def _round(self) -> None:
        async with self._pool.transaction("revisions") as tx:
            await self._leader.fence(tx)
            counts = {
                "unslotted": await revision_items.unslot(tx, _LATE),
                "orphans": await revision_items.orphans(tx, _SILENT),
                "closed": await revision_items.close(tx),
                "too_old": await revision_items.expire(tx),
                "planned": sum([await revisions.plan(tx, n, limit=_CHUNK) for n in await revisions.unplanned(tx)]),
            }
            done = await revisions.finish(tx)
        if any(counts.values()) or done:
            _log.info("revised", extra={key: n for key, n in counts.items() if n} | {"done": done})
