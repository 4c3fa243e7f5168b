"""Takes what the broker dead-lettered by itself: a job that killed its workers, or was delivered too often."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from common.bus.consumer import Store, first, quietly, wait
from common.bus.delivery import Delivery
from common.bus.session import STEP, losses_named, session
from common.bus.topology import DELIVERY_LIMIT
from common.envelope import Envelope
from common.errors import BrokerUnavailable
from common.queues import Queue
from common.telemetry.redact import describe

_log = logging.getLogger(__name__)
_REASON = f"delivered more than {DELIVERY_LIMIT} times without an answer: it may kill its worker"


class DeadQueue:
    """Consumes `<queue>.dead` of each queue; a letter stays there until its row is committed."""

    def __init__(self, url: str, queues: Sequence[Queue[Any]], store: Store) -> None:
        self._url = url
        self._queues = queues
        self._store = store

    async def run(self, stop: asyncio.Event) -> None:
        """Comes back after any loss of the connection."""
        while not stop.is_set():
            try:
                with losses_named():
                    await self._session(stop)
            except BrokerUnavailable as error:
                _log.warning("dead queues not reachable", extra={"error": describe(error)})
            await wait(stop, 1.0)

    async def _session(self, stop: asyncio.Event) -> None:
        async with session(self._url, prefetch=1) as now:
            async with asyncio.timeout(STEP):
                for queue in self._queues:
                    source = await now.channel.get_queue(queue.dead, ensure=True)
                    await source.consume(partial(self._take, queue.name))
            await first(stop, now.lost)

    async def _take(self, queue: str, message: AbstractIncomingMessage) -> None:
        envelope = Delivery.of(message, queue).envelope
        # Kept, not given back: a broker counts what is given back, and drops what this queue gave back too often.
        while not await self._buried(envelope):  # noqa: ASYNC110 (nobody tells us when the database is back)
            await asyncio.sleep(1)
        await quietly(message.ack())

    async def _buried(self, envelope: Envelope) -> bool:
        try:
            await self._store.bury(envelope, "delivery_limit", _REASON)
        except Exception as error:  # noqa: BLE001 (whatever it is, the letter is still here)
            _log.warning("dead letter waits", extra={"job_id": envelope.job_id, "error": describe(error)})
            return False
        return True
