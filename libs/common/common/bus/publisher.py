"""Publishes jobs: confirmed, mandatory, traced, inside a time box of two attempts, the second on a fresh connection."""

from __future__ import annotations

import asyncio
import time
import uuid

from opentelemetry import trace

from common.bus import tracing, wire
from common.bus.channel import Channel
from common.bus.connection import HEARTBEAT
from common.envelope import Envelope
from common.errors import BrokerUnavailable, Unroutable
from common.ids import JobId
from common.queues import JobT, Queue
from common.telemetry import metrics
from common.telemetry.children import child
from common.telemetry.spans import CurrentSpan

_SCHEMA = 1  # x-schema: the envelope's version
_ATTEMPTS = 2
_tracer = trace.get_tracer("muster.bus")


class Publisher:
    """One connection a process, opened on first use and replaced when it is dead, stale or silent.

    `timeout` bounds one publish with both its attempts, in seconds.
    """

    def __init__(self, url: str, name: str, *, timeout: float) -> None:
        self._address = wire.parse_address(url)
        self._name = name
        self._timeout = timeout
        self._channel: Channel | None = None
        self._opening = asyncio.Lock()

    async def publish(self, queue: Queue[JobT], job: JobT, *, job_id: JobId) -> None:
        """Returns when the broker has the job; BrokerUnavailable (it may have it all the same) or Unroutable."""
        await self.send(envelope(queue, job, job_id=job_id))

    async def send(self, message: Envelope, *, routing_key: str | None = None, span: trace.Span | None = None) -> None:
        """As `publish`, for what is encoded already; `routing_key` where it is not the queue itself (retry ladder).

        `span` is the caller's own where the publish is all that it does: a second one would double tracing's cost.
        """
        destination = routing_key or message.queue
        if span is not None:
            return await self._counted(destination, message, span)
        parent = tracing.parent_of({tracing.TRACEPARENT: message.traceparent}) if message.traceparent else None
        with CurrentSpan(_tracer, f"send {destination}", trace.SpanKind.PRODUCER, parent=parent) as own:
            try:
                await self._counted(destination, message, own)
            except (Unroutable, BrokerUnavailable) as error:
                own.set_attribute("error.type", type(error).__name__)
                own.set_status(trace.StatusCode.ERROR)
                raise

    async def ping(self) -> None:
        """Opens the connection if it is not open; BrokerUnavailable where that fails."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._usable()
        except TimeoutError:
            raise BrokerUnavailable("no connection in time") from None

    async def close(self) -> None:
        """Says goodbye to the broker."""
        if self._channel is not None:
            await self._channel.close()

    async def _counted(self, destination: str, message: Envelope, span: trace.Span) -> None:
        try:
            await self._attempts(destination, message, span)
        except (Unroutable, BrokerUnavailable) as error:
            outcome = "unroutable" if isinstance(error, Unroutable) else "unavailable"
            child(metrics.PUBLISHED, message.queue, outcome).inc()
            raise
        child(metrics.PUBLISHED, message.queue, "confirmed").inc()

    async def _attempts(self, destination: str, message: Envelope, span: trace.Span) -> None:
        error = BrokerUnavailable()
        for _ in range(_ATTEMPTS):
            try:
                async with asyncio.timeout(self._timeout / _ATTEMPTS):
                    await self._once(destination, message, span)
            except TimeoutError:
                error = BrokerUnavailable("no confirm in time")
            except BrokerUnavailable as failure:
                error = failure
            else:
                return
        raise error

    async def _once(self, destination: str, message: Envelope, span: trace.Span) -> None:
        channel = await self._usable()
        # Unique per attempt: a second attempt with the first one's id could swap their results (reliability A4).
        message_id = uuid.uuid4().hex
        if span.is_recording():
            span.set_attributes(tracing.attributes(destination, "send", message_id, message.job_id))
        written = time.time()
        confirmed = channel.publish(
            destination, message.body, message_id=message_id, kind=message.kind, headers=_headers(message, span)
        )
        try:
            await confirmed
        except asyncio.CancelledError:
            # Silent since we wrote: dead, not slow. A slow broker keeps its connection, for others wait on it too;
            # so does one whose caller has only lost patience.
            if channel.heard < written and time.time() - written > self._timeout / _ATTEMPTS / 2:
                channel.abort("no answer to a publish")
            raise

    async def _usable(self) -> Channel:
        channel = self._channel
        if channel is not None and _alive(channel):
            return channel
        async with self._opening:
            if self._channel is not None and _alive(self._channel):
                return self._channel
            if self._channel is not None:
                self._channel.abort("stale")
            self._channel = await Channel.open(self._address, self._name)
            return self._channel


def envelope(queue: Queue[JobT], job: JobT, *, job_id: JobId) -> Envelope:
    """The job as bytes, with the trace it was made in."""
    context = tracing.traceparent(trace.get_current_span())
    return Envelope(queue.name, queue.adapter.dump_json(job), job.kind, job_id, traceparent=context)


def _alive(channel: Channel) -> bool:
    # The broker sends a heartbeat each HEARTBEAT / 2: silence for longer means that this process or the peer was
    # frozen.
    return not channel.closed and time.time() - channel.heard < 2 * HEARTBEAT


def _headers(message: Envelope, span: trace.Span) -> dict[str, str | int]:
    headers: dict[str, str | int] = {
        "job_id": message.job_id,
        "attempt": message.attempt,
        "queue": message.queue,
        "published_ms": int(time.time() * 1000),
        "x-schema": _SCHEMA,
    }
    context = tracing.traceparent(span) or message.traceparent
    if context is not None:
        headers[tracing.TRACEPARENT] = context
    return headers
