"""Takes jobs from one queue: prefetch, decode, handle, settle exactly once, drain on stop, come back after any loss."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Generic, Protocol, assert_never

from opentelemetry import trace
from pydantic import ValidationError

from common.bus import tracing, wire
from common.bus.delivery import Delivery
from common.bus.ordered import OrderedTasks
from common.bus.publisher import Publisher
from common.bus.settlement import Bury, Climb, HoldOn, Park, settle
from common.bus.subscription import Message, Subscription
from common.envelope import Envelope
from common.errors import BrokerUnavailable, Reject
from common.queues import JobT, Queue
from common.telemetry import metrics
from common.telemetry.children import child
from common.telemetry.redact import describe
from common.telemetry.spans import CurrentSpan

_log = logging.getLogger(__name__)
_tracer = trace.get_tracer("muster.bus")
_BACKOFF = (0.2, 0.5, 1.0, 2.0)  # seconds between attempts to connect, and between attempts in place
_WATCH = 15.0  # seconds between looks at a consumer that gets nothing

Handler = Callable[[JobT], Awaitable[None]]


class Store(Protocol):
    """Where a job goes that the broker should not keep; `runtime` brings the one on Postgres."""

    async def bury(self, envelope: Envelope, cause: str, reason: str) -> None:
        """Into the dead letters."""

    async def park(self, envelope: Envelope, delay: timedelta) -> None:
        """Published again after `delay`."""


@dataclass(frozen=True)
class Limits:
    """`prefetch` jobs in hand and `concurrency` at work at most; `grace` seconds to finish those at a stop.

    More in hand than at work: jobs that wait for their turn behind others of the same key leave room for other keys.
    """

    prefetch: int = 100
    concurrency: int = 20
    grace: float = 45.0


class Consumer(Generic[JobT]):
    """One queue's consumer; `run` returns when `stop` is set and what was in flight is settled."""

    def __init__(
        self,
        url: str,
        queue: Queue[JobT],
        handler: Handler[JobT],
        *,
        publisher: Publisher,
        store: Store,
        limits: Limits,
    ) -> None:
        self._address = wire.parse_address(url)
        self._queue = queue
        self._handler = handler
        self._publisher = publisher
        self._store = store
        self._limits = limits
        self._tasks = OrderedTasks()
        self._at_work = asyncio.Semaphore(limits.concurrency)
        self._stopping = asyncio.Event()
        self._taken = 0
        self.connected = False

    async def run(self, stop: asyncio.Event) -> None:
        """Connects anew for as long as it takes; what runs is waited for wherever the broker is at the stop."""
        failures = 0
        while not stop.is_set():
            try:
                await self._session(stop)
            except BrokerUnavailable as error:
                failures = 0 if self.connected else failures
                _log.warning(
                    "consumer lost its connection", extra={"queue": self._queue.name, "error": describe(error)}
                )
                metrics.RECONNECTS.labels(self._queue.name).inc()
            finally:
                self.connected = False
            await wait(stop, _BACKOFF[min(failures, len(_BACKOFF) - 1)])
            failures += 1
        await self._drain()

    async def _session(self, stop: asyncio.Event) -> None:
        now = Subscription(self._address, self._queue.name, self._take, prefetch=self._limits.prefetch)
        await now.begin()
        self.connected = True
        watch = asyncio.create_task(self._watch(now))
        try:
            await first(stop, now.lost)
            if now.lost.is_set():
                raise BrokerUnavailable("it ended the connection")
            with contextlib.suppress(BrokerUnavailable):
                await now.end()
            await self._drain()  # while what is done can still be acknowledged
        finally:
            watch.cancel()
            await now.close()

    async def _drain(self) -> None:
        self._stopping.set()
        for _ in range(self._limits.prefetch):  # what is not begun need not wait for what is: it is only handed back
            self._at_work.release()
        left = await self._tasks.finish(self._limits.grace)
        if left:
            _log.warning("stopped with jobs unfinished", extra={"queue": self._queue.name, "jobs": left})

    async def _watch(self, now: Subscription) -> None:
        """Ready messages, a free prefetch and nothing taken twice in a row: this consumer hangs, so begin anew
        (reliability A7).
        """
        seen, suspicious = -1, 0
        while True:
            await asyncio.sleep(_WATCH)
            idle = seen == self._taken and len(self._tasks) < self._limits.prefetch
            seen = self._taken
            suspicious = suspicious + 1 if idle and await _ready(now) else 0
            if suspicious >= 2:
                _log.error("consumer hangs, connecting anew", extra={"queue": self._queue.name})
                now.abort("it hangs")
                return

    def _take(self, source: Subscription, message: Message) -> None:
        # It only hands over, to a task of its own: the connection may end in the middle of the work (reliability A1).
        self._taken += 1
        child(metrics.IN_FLIGHT, self._queue.name).inc()
        delivery = Delivery.of(message, self._queue.name)
        job = self._decode(delivery)
        order = None if isinstance(job, Reject) else job.order
        self._tasks.start(order[0] if order else None, lambda: self._turn(source, message, delivery, job))

    def _decode(self, delivery: Delivery) -> JobT | Reject:
        try:
            job = self._queue.adapter.validate_json(delivery.envelope.body)
        except ValidationError as error:
            where = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['type']}" for e in error.errors(include_input=False)[:5]
            )
            return Reject(f"not a job of this queue ({where})")
        return job.model_copy(update={"message_id": delivery.message_id})

    async def _turn(self, source: Subscription, message: Message, delivery: Delivery, job: JobT | Reject) -> None:
        settled = False  # also when it is cancelled: the next one has it at once
        try:
            async with self._at_work:
                # What was prefetched and not begun before a stop or a loss is not begun any more: it is another's.
                settled = not (self._stopping.is_set() or source.closed) and await self._settled(source, delivery, job)
        finally:
            child(metrics.IN_FLIGHT, self._queue.name).dec()
            if settled:
                source.ack(message.tag)
            else:
                source.give_back(message.tag)

    async def _settled(self, source: Subscription, delivery: Delivery, job: JobT | Reject) -> bool:
        """True when the message may be acknowledged: done, or safe somewhere else. False at a stop, or where a held job
        is no longer ours because its connection is gone: the broker gives it out again.
        """
        held = 0
        while True:
            error = await self._attempt(delivery, job)
            if error is None:
                return True
            action = settle(error, delivery.envelope.attempt)
            if not isinstance(action, HoldOn):
                try:
                    await self._move(delivery.envelope, action)
                except Exception as failure:  # noqa: BLE001 (whatever it is, the message is still ours)
                    action = HoldOn(describe(failure))
                else:
                    return True
            _log.warning(
                "job held",
                extra={"queue": self._queue.name, "job_id": delivery.envelope.job_id, "reason": action.reason},
            )
            if await wait(self._stopping, _BACKOFF[min(held, len(_BACKOFF) - 1)]) or source.closed:
                return False
            held += 1

    async def _attempt(self, delivery: Delivery, job: JobT | Reject) -> Exception | None:
        queue, envelope = self._queue.name, delivery.envelope
        if envelope.attempt == 1 and delivery.published_ms:
            waited = max(0.0, time.time() - delivery.published_ms / 1000)
            child(metrics.QUEUE_SECONDS, queue).observe(waited)
        kind, started = "unknown" if isinstance(job, Reject) else job.kind, time.perf_counter()
        parent = tracing.parent_of({tracing.TRACEPARENT: envelope.traceparent})
        links = tracing.links_of(parent)
        with CurrentSpan(_tracer, f"process {queue}", trace.SpanKind.CONSUMER, parent=parent, links=links) as span:
            if span.is_recording():
                span.set_attributes(tracing.attributes(queue, "process", delivery.message_id, envelope.job_id))
                span.set_attributes({"muster.job_kind": kind, "muster.attempt": envelope.attempt})
            error = await self._call(job)
            outcome = "done" if error is None else type(error).__name__
            child(metrics.HANDLE_SECONDS, queue, kind).observe(time.perf_counter() - started)
            child(metrics.HANDLED, queue, kind, outcome).inc()
            if error is not None:
                span.set_attribute("error.type", outcome)
                span.set_status(trace.StatusCode.ERROR)
                self._report(error, envelope)
            return error

    async def _call(self, job: JobT | Reject) -> Exception | None:
        if isinstance(job, Reject):
            return job
        try:
            await self._handler(job)
        except Exception as error:  # noqa: BLE001 (the rule in `settlement` decides what becomes of each)
            return error
        return None

    def _report(self, error: Exception, envelope: Envelope) -> None:
        expected = isinstance(settle(error, 1), HoldOn) or type(error).__module__ == "common.errors"
        _log.log(
            logging.INFO if expected else logging.ERROR,
            "job not done",
            extra={
                "queue": self._queue.name,
                "job_id": envelope.job_id,
                "attempt": envelope.attempt,
                "reason": describe(error),
            },
            exc_info=None if expected else error,
        )

    async def _move(self, envelope: Envelope, action: Climb | Park | Bury) -> None:
        match action:
            case Climb(step=step, attempt=attempt):
                ladder = self._queue.retry(step)
                await self._publisher.send(replace(envelope, attempt=attempt), routing_key=ladder)
            case Park(delay=delay, attempt=attempt):
                await self._store.park(replace(envelope, attempt=attempt), delay)
            case Bury(cause=cause, reason=reason):
                await self._store.bury(envelope, cause, reason)
            case _ as never:
                assert_never(never)


async def _ready(now: Subscription) -> int:
    try:
        return await now.waiting()
    except BrokerUnavailable:
        return 1  # an answer that does not come is as suspicious as work that does not


async def wait(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


async def first(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
