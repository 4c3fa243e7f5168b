"""What every worker's main begins with: logs, traces, pool, bus, Bot API, health, and an orderly stop at SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from common import heap
from common.bus.consumer import Consumer, Handler, Limits
from common.bus.publisher import Publisher
from common.envelope import Envelope
from common.errors import BrokerUnavailable, MusterError
from common.health import Health
from common.queues import JobT, Queue
from common.settings import WorkerSettings
from common.store import dead_letters, outbox
from common.store.pool import Pool
from common.telemetry import metrics
from common.telemetry.logs import setup_logging
from common.telemetry.setup import start_tracing

_log = logging.getLogger(__name__)


class JobStore:
    """The consumer's port on Postgres: what the broker should not keep."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def bury(self, envelope: Envelope, cause: str, reason: str) -> None:
        """A row that operators see, replay or discard."""
        _log.warning(
            "dead letter", extra={"queue": envelope.queue, "job_id": envelope.job_id, "cause": cause, "reason": reason}
        )
        async with self._pool.transaction("bury") as tx:
            await dead_letters.add(tx, envelope, cause=cause, reason=reason)
            await outbox.buried(tx, envelope.job_id)
        metrics.DEAD_LETTERS.labels(envelope.queue, cause).inc()

    async def park(self, envelope: Envelope, delay: timedelta) -> None:
        """The relay publishes it when it is due."""
        async with self._pool.transaction("park") as tx:
            await outbox.add(tx, envelope, delay=delay)


@dataclass
class Worker:
    """What `worker` hands to a main; `stop` is set by SIGTERM and SIGINT."""

    name: str
    settings: WorkerSettings
    pool: Pool
    publisher: Publisher
    stop: asyncio.Event
    _consumers: list[Consumer[Any]] = field(default_factory=list)

    async def consume(self, queue: Queue[JobT], handler: Handler[JobT]) -> None:
        """Until the stop; returns when what was in flight is settled."""
        consumer = Consumer(
            self.settings.amqp_url.get_secret_value(),
            queue,
            handler,
            publisher=self.publisher,
            store=JobStore(self.pool),
            limits=Limits(self.settings.prefetch, self.settings.concurrency, self.settings.grace),
        )
        self._consumers.append(consumer)
        await consumer.run(self.stop)

    async def consuming(self) -> None:
        """The readiness check: each consumer is connected."""
        if not all(consumer.connected for consumer in self._consumers):
            raise BrokerUnavailable("a consumer is not connected")


@asynccontextmanager
async def worker(name: str, settings: WorkerSettings) -> AsyncIterator[Worker]:
    """Opens nothing that can wait: database and broker connect on first use and may be away."""
    setup_logging(name, settings.log_level)
    telemetry = start_tracing(name)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(telemetry.flush)
        pool = Pool(
            settings.database_url.get_secret_value(),
            name=f"muster-{name}",
            max_size=settings.database_pool_max,
            timeout=settings.database_timeout,
        )
        stack.push_async_callback(pool.close)
        publisher = Publisher(settings.amqp_url.get_secret_value(), f"muster-{name}", timeout=settings.publish_timeout)
        stack.push_async_callback(publisher.close)
        this = Worker(name, settings, pool, publisher, _stop_event())
        health = Health({"database": pool.ping, "broker": this.consuming})
        await health.start(settings.health_host, settings.health_port)
        stack.push_async_callback(health.stop)
        metrics.BUILD.labels(name, version("muster-common")).set(1)
        heap.settle()
        _log.info("started", extra={"health_port": health.port, "tracing": telemetry.on})
        yield this
        _log.info("stopped")


def run(main: Coroutine[Any, Any, None]) -> None:
    """The process's only entry: a loop, and one line for an expected failure instead of a stack."""
    import uvloop

    try:
        uvloop.run(main)
    except MusterError as error:
        raise SystemExit(f"muster: {error}") from None
    except Exception as error:  # noqa: BLE001 (the interpreter's own report would quote values: a row, a URL)
        for each in _leaves(error):
            _log.critical("ended by a surprise", exc_info=each)
        raise SystemExit(1) from None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for each in error.exceptions:
        yield from _leaves(each)


def _stop_event() -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    return stop
