"""The slow loop: takes out what nobody can ask for again, and revives what got lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta

from common.errors import LeaseLost, StoreUnavailable
from common.store import idempotency, inbox, outbox, replies
from common.store.pool import Pool
from common.telemetry.redact import describe

from tgms.leader import Leader

_INTERVAL = 60.0  # seconds
_LOOK = 1.0  # seconds between looks of one who does not lead: a wait for the lease would not see the stop
_LOST_AFTER = timedelta(minutes=10)
_RESULTS = timedelta(hours=25)  # the API promises 24
_log = logging.getLogger(__name__)


async def run(stop: asyncio.Event, pool: Pool, leader: Leader, *, keep: timedelta) -> None:
    """Marks of updates and settled replies older than `keep`."""
    while not stop.is_set():
        leads = await leader.elected(0)
        if leads:
            await _prune(pool, leader, keep)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _INTERVAL if leads else _LOOK)


async def _prune(pool: Pool, leader: Leader, keep: timedelta) -> None:
    try:
        async with pool.transaction("housekeeping") as tx:
            await leader.fence(tx)
            marks, said = await inbox.prune(tx, keep), await replies.prune(tx, keep)
            results = await idempotency.prune(tx, _RESULTS)
            revived = await outbox.revive(tx, _LOST_AFTER)
    except (StoreUnavailable, LeaseLost) as error:
        _log.warning("housekeeping waits", extra={"error": describe(error)})
        return
    if marks or said or results or revived:
        _log.info("housekeeping", extra={"inbox": marks, "replies": said, "results": results, "revived": revived})
