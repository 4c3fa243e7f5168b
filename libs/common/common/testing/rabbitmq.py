"""pytest plugin: a real broker on which each test has queues of its own, so that tests run side by side."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import aio_pika
import pytest_asyncio
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from common.bus import topology
from common.queues import JobT, Queue
from common.testing.polling import eventually
from common.testing.servers import needed

# A queue that is deleted while its dead-letter worker still starts makes that worker fail; a few such failures end the
# workers' supervisor, and from then on the node answers each declaration with 541 (RabbitMQ 3.10, its own log).
_SETTLED: Final = 2.0  # seconds


@dataclass
class Broker:
    """Looks at queues and fills them from outside; plain connections, for robust ones tell old counts (house.md §7)."""

    url: str
    _made: dict[str, float] = field(default_factory=dict)  # and when
    _connection: AbstractConnection | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _LEFT.setdefault(self.url, {}).update(self._made)
        await self._bury()
        if self._connection is not None:
            await self._connection.close()

    async def queue(self, like: Queue[JobT]) -> Queue[JobT]:
        """A new queue for the same jobs, with its ladder and its dead queue."""
        queue = Queue(f"test.{uuid.uuid4().hex[:12]}", like.adapter)
        self._made |= dict.fromkeys(await topology.declare(self.url, [queue]), time.monotonic())
        return queue

    async def delete(self, name: str) -> None:
        """With all that is in it."""
        await asyncio.sleep(self._made.get(name, 0.0) + _SETTLED - time.monotonic())
        channel = await self._channel()
        await channel.queue_delete(name)
        await channel.close()

    async def purge(self, name: str) -> None:
        """Of all that is ready in it."""
        channel = await self._channel()
        await (await channel.get_queue(name, ensure=False)).purge()
        await channel.close()

    async def depth(self, name: str) -> int:
        """How many messages are ready in it: neither taken nor settled."""
        channel = await self._channel()
        declared = await channel.declare_queue(name, passive=True)
        await channel.close()
        return declared.declaration_result.message_count or 0

    async def put(self, name: str, body: bytes, **properties: Any) -> None:
        """Any bytes, with any properties, as a stranger might publish them."""
        channel = await self._channel()
        await channel.default_exchange.publish(aio_pika.Message(body, delivery_mode=2, **properties), name)
        await channel.close()

    async def take(self, name: str, *, within: float = 10.0) -> AbstractIncomingMessage:
        """The next message, taken off the queue."""
        channel = await self._channel()
        queue = await channel.get_queue(name, ensure=False)
        message = await eventually(
            lambda: queue.get(no_ack=True, fail=False), within=within, what=f"a message in {name}"
        )
        await channel.close()
        return message

    async def _bury(self) -> None:
        """What earlier tests left and is old enough; a server that serves a session only takes the rest with it."""
        left = _LEFT[self.url]
        old = [name for name, made in left.items() if made + _SETTLED < time.monotonic()]
        if not old:
            return
        channel = await self._channel()
        for name in old:
            await channel.queue_delete(name)
            del left[name]

    async def _channel(self) -> AbstractChannel:
        async with self._opening:
            if self._connection is None or self._connection.is_closed:
                self._connection = await aio_pika.connect(self.url, timeout=10)
                # After a restart of the broker its workers start anew, so its queues are as good as new ones.
                self._made = dict.fromkeys(self._made, time.monotonic())
            return await self._connection.channel(on_return_raises=True)


_LEFT: Final[dict[str, dict[str, float]]] = {}  # by server: queues of tests that are over


@pytest_asyncio.fixture
async def broker() -> AsyncIterator[Broker]:
    """The shared broker; what a test declares through it goes with the test."""
    async with Broker(needed("AMQP_URL")) as ours:
        yield ours
