"""A loop of the leader: the same work again and again under the lease, and one line for each outage."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from common.errors import BrokerUnavailable, LeaseLost, StoreUnavailable, Unroutable
from common.telemetry.redact import describe

from tgms.leader import Leader

_TROUBLES = (StoreUnavailable, BrokerUnavailable, Unroutable, LeaseLost)
_log = logging.getLogger(__name__)


async def rounds(
    name: str, work: Callable[[], Awaitable[None]], stop: asyncio.Event, leader: Leader, *, interval: float
) -> None:
    """Until the stop, `interval` seconds after each round; what a round could not do is the next one's."""
    waits = False
    while not stop.is_set():
        if await leader.elected(interval):
            try:
                await work()
            except _TROUBLES as error:
                if not waits:
                    _log.warning("%s waits", name, extra={"error": describe(error)})
                waits = True
            else:
                waits = False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), interval)
