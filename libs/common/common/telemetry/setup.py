"""Tracing of one process: off without OTEL_EXPORTER_OTLP_ENDPOINT; every other knob is OpenTelemetry's own variable."""

from __future__ import annotations

import asyncio
import os
import threading

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


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
    from common.telemetry.exporter import SafeExporter

    resource = Resource.create({"service.name": service, "service.namespace": "muster"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(SafeExporter()))
    trace.set_tracer_provider(provider)
    return Telemetry(provider)
