"""Takes what the broker dead-lettered by itself: a job that killed its workers, or was delivered too often."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from common.bus.connection import STEP
from common.bus.consumer import Store, wait
from common.bus.delivery import Delivery
from common.bus.session import losses_named, session
from common.bus.topology import DELIVERY_LIMIT
from common.envelope import Envelope
from common.errors import BrokerUnavailable
from common.queues import Queue
from common.telemetry.redact import describe

_log = logging.getLogger(__name__)
_INTERVAL = 5.0  # seconds
_REASON = f"delivered more than {DELIVERY_LIMIT} times without an answer: it may kill its worker"


class DeadQueue:
    """Empties `<queue>.dead` of each queue; a letter stays there until its row is committed.

    Asked for every few seconds and not consumed: a consumer that the broker cancels hears nothing more, ever.
    """

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
        async with session(self._url) as now:
            while not stop.is_set():
                for queue in self._queues:
                    await self._empty(now.connection, queue, stop)
                await wait(stop, _INTERVAL)

    async def _empty(self, connection: AbstractConnection, queue: Queue[Any], stop: asyncio.Event) -> None:
        """On a channel of its own: the broker closes it where the queue is missing, and others must not suffer."""
        async with asyncio.timeout(STEP):
            channel = await connection.channel()
        try:
            source = await channel.get_queue(queue.dead, ensure=False)
            while not stop.is_set():
                async with asyncio.timeout(STEP):
                    message = await source.get(fail=False)
                if message is None:
                    break
                await self._take(queue.name, message, stop)
        except ChannelNotFoundEntity:
            _log.error("a dead queue is missing: python -m common topology", extra={"queue": queue.dead})
            return
        await channel.close()

    async def _take(self, queue: str, message: AbstractIncomingMessage, stop: asyncio.Event) -> None:
        envelope = Delivery.of(message, queue).envelope
        # Kept, not given back: a broker counts what is given back, and drops what this queue gave back too often.
        while not await self._buried(envelope):
            if await wait(stop, 1.0):
                return
        with contextlib.suppress(BrokerUnavailable), losses_named():  # the row knows it, when it comes again
            await message.ack()

    async def _buried(self, envelope: Envelope) -> bool:
        try:
            await self._store.bury(envelope, "delivery_limit", _REASON)
        except Exception as error:  # noqa: BLE001 (whatever it is, the letter is still here)
            _log.warning("dead letter waits", extra={"job_id": envelope.job_id, "error": describe(error)})
            return False
        return True
