"""Tracing of one process: off without OTEL_EXPORTER_OTLP_ENDPOINT; every other knob is OpenTelemetry's own variable."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.util.types import Attributes

from common.telemetry.redact import redact

_EXCEPTION_TEXT = ("exception.message", "exception.stacktrace")


class SafeExporter(SpanExporter):
    """Drops exception texts and redacts attributes on their way out, whatever instrumentation put there."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Runs in the exporter's thread, so what it costs is not on a request's path."""
        return self._inner.export([_safe(span) for span in spans])

    def shutdown(self) -> None:
        """Passes on."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Passes on."""
        return self._inner.force_flush(timeout_millis)


class Telemetry:
    """The process's provider, or nothing: callers don't ask which."""

    def __init__(self, provider: TracerProvider | None) -> None:
        self._provider = provider

    @property
    def on(self) -> bool:
        """False where no endpoint is configured."""
        return self._provider is not None

    async def flush(self, timeout: float = 1.5) -> None:  # noqa: ASYNC109 (bounds a foreign thread, not our own await)
        """Waits at most `timeout` seconds: force_flush ignores its own limit (measured 7.5-14.5 s with a dead
        collector).
        """
        provider = self._provider
        if provider is None:
            return
        done, loop = asyncio.Event(), asyncio.get_running_loop()

        def work() -> None:
            provider.force_flush()
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=work, daemon=True, name="flush").start()
        try:
            await asyncio.wait_for(done.wait(), timeout)
        except TimeoutError:
            return


def start_tracing(service: str) -> Telemetry:
    """Sets the global provider once; a second call in the same process keeps the first."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_SDK_DISABLED") == "true":
        return Telemetry(None)
    current = trace.get_tracer_provider()
    if isinstance(current, TracerProvider):
        return Telemetry(current)
    # Imported late: protobuf and requests cost cold-start time that an untraced process need not pay.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    resource = Resource.create({"service.name": service, "service.namespace": "muster"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(SafeExporter(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    return Telemetry(provider)


def _safe(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=redact(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_clean(span.attributes),
        events=[Event(e.name, _clean(e.attributes), e.timestamp) for e in span.events],
        links=span.links,
        kind=span.kind,
        status=trace.Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _clean(attributes: Attributes) -> Attributes:
    return {
        key: redact(value) if isinstance(value, str) else value
        for key, value in (attributes or {}).items()
        if key not in _EXCEPTION_TEXT
    }
