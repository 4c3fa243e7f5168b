"""Takes what the broker dead-lettered by itself: a job that killed its workers, or was delivered too often."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

from common.bus.channel import HEARTBEAT
from common.bus.consumer import Store, first, quietly, wait
from common.bus.delivery import Delivery
from common.bus.topology import DELIVERY_LIMIT
from common.errors import StoreUnavailable
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
                await self._session(stop)
            except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
                _log.warning("dead queues not reachable", extra={"error": describe(error)})
            await wait(stop, 1.0)

    async def _session(self, stop: asyncio.Event) -> None:
        connection = await aio_pika.connect(self._url, timeout=5, heartbeat=HEARTBEAT)
        lost = asyncio.Event()
        connection.close_callbacks.add(lambda *_: lost.set())
        async with connection:
            channel = await connection.channel()
            channel.close_callbacks.add(lambda *_: lost.set())
            await channel.set_qos(prefetch_count=1)
            for queue in self._queues:
                source = await channel.get_queue(queue.dead)
                await source.consume(partial(self._take, queue.name))
            await first(stop, lost)

    async def _take(self, queue: str, message: AbstractIncomingMessage) -> None:
        try:
            await self._store.bury(Delivery.of(message, queue).envelope, "delivery_limit", _REASON)
        except StoreUnavailable:
            await asyncio.sleep(1)
            await quietly(message.nack(requeue=True))
        else:
            await quietly(message.ack())
