"""Says every few seconds that this process lives, so that the brain does not give up what it has begun."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from common.errors import StoreUnavailable
from common.store import reaping
from common.store.pool import Pool
from common.telemetry.redact import describe

INTERVAL = 2.0  # seconds; the reaper waits for several of them
_SOON = 0.2  # seconds between attempts at the first one: nothing begins before it
_log = logging.getLogger(__name__)


async def beat(pool: Pool, owner: str) -> None:
    """Once."""
    async with pool.transaction("beat") as tx:
        await reaping.beat(tx, owner)


async def run(stop: asyncio.Event, pool: Pool, owner: str, begun: asyncio.Event) -> None:
    """Until the stop; a beat that can't be written is tried again at the next.

    `begun` with the first: an intent of an owner who was never seen would be a dead sender's, and its send in doubt.
    """
    told = False
    while not stop.is_set():
        try:
            await beat(pool, owner)
            begun.set()
        except StoreUnavailable as error:
            if begun.is_set() or not told:
                _log.warning("no heartbeat", extra={"error": describe(error)})
            told = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), INTERVAL if begun.is_set() else _SOON)
