"""Says every few seconds that this process lives, so that the brain does not give up what it has begun."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from common.errors import StoreUnavailable
from common.store import reaping
from common.store.pool import Pool
from common.telemetry.redact import describe

_INTERVAL = 2.0  # seconds; the reaper waits for several of them
_log = logging.getLogger(__name__)


async def beat(pool: Pool, owner: str) -> None:
    """Once: before the first intent."""
    async with pool.transaction("beat") as tx:
        await reaping.beat(tx, owner)


async def run(stop: asyncio.Event, pool: Pool, owner: str) -> None:
    """Until the stop; a beat that can't be written is tried again at the next."""
    while not stop.is_set():
        try:
            await beat(pool, owner)
        except StoreUnavailable as error:
            _log.warning("no heartbeat", extra={"error": describe(error)})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _INTERVAL)
