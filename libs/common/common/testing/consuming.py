"""A running consumer for one test: stopped and drained when the test is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from common.bus.consumer import Consumer, Handler, Limits, Store
from common.bus.publisher import Publisher
from common.envelope import Envelope
from common.queues import JobT, Queue
from common.testing.polling import eventually


@dataclass
class Shelf:
    """The consumer's store in memory; `fails_with` is raised as often as it is filled."""

    buried: list[tuple[Envelope, str, str]] = field(default_factory=list)
    parked: list[tuple[Envelope, timedelta]] = field(default_factory=list)
    fails_with: list[Exception] = field(default_factory=list)

    async def bury(self, envelope: Envelope, cause: str, reason: str) -> None:
        """As `runtime.JobStore`."""
        self._maybe_fail()
        self.buried.append((envelope, cause, reason))

    async def park(self, envelope: Envelope, delay: timedelta) -> None:
        """As `runtime.JobStore`."""
        self._maybe_fail()
        self.parked.append((envelope, delay))

    def _maybe_fail(self) -> None:
        if self.fails_with:
            raise self.fails_with.pop(0)


@dataclass
class Running:
    """`stop` is what SIGTERM sets; `task` ends when the drain is over."""

    consumer: Consumer[Any]
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def stopped(self) -> None:
        """Orders the stop and waits for its end."""
        self.stop.set()
        await self.task


@asynccontextmanager
async def consuming(
    url: str, queue: Queue[JobT], handler: Handler[JobT], store: Store, limits: Limits | None = None
) -> AsyncIterator[Running]:
    """Connected on entry; retries go out through a publisher of its own."""
    publisher = Publisher(url, "muster-test", timeout=5)
    consumer = Consumer(url, queue, handler, publisher=publisher, store=store, limits=limits or Limits(grace=5))
    stop = asyncio.Event()
    task = asyncio.create_task(consumer.run(stop))
    running = Running(consumer, stop, task)
    try:
        await eventually(lambda: consumer.connected, what="the consumer is connected")
        yield running
    finally:
        await running.stopped()
        await publisher.close()
