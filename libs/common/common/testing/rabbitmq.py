"""pytest plugin: a real broker on which each test has queues of its own, so that tests run side by side."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aio_pika
import pytest_asyncio
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from common.bus import topology
from common.queues import JobT, Queue
from common.testing.polling import eventually
from common.testing.servers import needed


@dataclass
class Broker:
    """Looks at queues and fills them from outside; plain connections, for robust ones tell old counts (house.md §7)."""

    url: str
    _made: list[str] = field(default_factory=list)
    _connection: AbstractConnection | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._made:
            channel = await self._channel()
            for name in self._made:
                await channel.queue_delete(name)
        if self._connection is not None:
            await self._connection.close()

    async def queue(self, like: Queue[JobT]) -> Queue[JobT]:
        """A new queue for the same jobs, with its ladder and its dead queue."""
        queue = Queue(f"test.{uuid.uuid4().hex[:12]}", like.adapter)
        self._made += await topology.declare(self.url, [queue])
        return queue

    async def delete(self, name: str) -> None:
        """With all that is in it."""
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

    async def _channel(self) -> AbstractChannel:
        async with self._opening:
            if self._connection is None or self._connection.is_closed:
                self._connection = await aio_pika.connect(self.url, timeout=10)
            return await self._connection.channel(on_return_raises=True)


@pytest_asyncio.fixture
async def broker() -> AsyncIterator[Broker]:
    """The shared broker; what a test declares through it goes with the test."""
    async with Broker(needed("AMQP_URL")) as ours:
        yield ours
