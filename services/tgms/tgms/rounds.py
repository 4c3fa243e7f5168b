"""A loop of the leader: the same work again and again under the lease, and one line for each outage."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator

from common.errors import BrokerUnavailable, LeaseLost, StoreUnavailable, Unroutable
from common.telemetry import metrics
from common.telemetry.redact import describe

from tgms.leader import Leader

_TROUBLES = (StoreUnavailable, BrokerUnavailable, Unroutable, LeaseLost)
_LOOK = 1.0  # seconds at most that one who does not lead waits for the lease: that wait does not see the stop
_begun = set[str]()
_log = logging.getLogger(__name__)


async def rounds(
    name: str, work: Callable[[], Awaitable[None]], stop: asyncio.Event, leader: Leader, *, interval: float
) -> None:
    """Until the stop, `interval` seconds after each round; what a round could not do is the next one's."""
    waits = False
    while not stop.is_set():
        if await leader.elected(min(interval, _LOOK)):
            try:
                with timed(name):
                    await work()
            except _TROUBLES as error:
                if not waits:
                    _log.warning("%s waits", name, extra={"error": describe(error)})
                waits = True
            else:
                waits = False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), interval)


@contextlib.contextmanager
def timed(loop: str) -> Iterator[None]:
    """One round: how long it took where it went well, and when the last one did.

    A loop counts as late from its first round on: one that never goes well in this process must not go unseen.
    """
    if loop not in _begun:
        _begun.add(loop)
        metrics.LAST_TICK.labels(loop).set_to_current_time()
    started = time.perf_counter()
    try:
        yield
    except Exception:
        metrics.TICK_FAILURES.labels(loop).inc()
        raise
    metrics.TICK_SECONDS.labels(loop).observe(time.perf_counter() - started)
    metrics.LAST_TICK.labels(loop).set_to_current_time()
