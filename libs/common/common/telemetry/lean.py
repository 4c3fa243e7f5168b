"""Spans with nothing but what is exported: OpenTelemetry's API, samplers, ids and batch processor, not its span.

That one takes a lock and checks types at each step, is copied at its end and keeps the garbage collector busy: with it,
tracing cost a webhook more CPU than all the rest (docs/performance.md).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.util.types import Attributes, AttributeValue

_SAMPLED, _NOT_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED), trace.TraceFlags(trace.TraceFlags.DEFAULT)
_UNSET = trace.Status()


class LeanProvider(sdk.TracerProvider):
    """The library's provider in all but the spans that its tracers make."""

    def __init__(self, resource: Resource, processor: sdk.SpanProcessor) -> None:
        super().__init__(resource=resource, shutdown_on_exit=False)
        self.add_span_processor(processor)
        self.processor = processor

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """As the API says."""
        version = instrumenting_library_version or ""
        return LeanTracer(self, InstrumentationScope(instrumenting_module_name, version, schema_url, attributes))


class LeanTracer(trace.Tracer):
    """Decides by the provider's sampler (OTEL_TRACES_SAMPLER)."""

    def __init__(self, provider: LeanProvider, scope: InstrumentationScope) -> None:
        self.provider = provider
        self.scope = scope

    def start_span(  # noqa: PLR0913, PLR0917 (OpenTelemetry's signature)
        self,
        name: str,
        context: Context | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002
    ) -> trace.Span:
        """As the API says."""
        ids = self.provider.id_generator
        before = trace.get_current_span(context).get_span_context()
        trace_id = before.trace_id if before.is_valid else ids.generate_trace_id()
        sampling = self.provider.sampler.should_sample(context, trace_id, name, kind, attributes, links)
        flags = _SAMPLED if sampling.decision is Decision.RECORD_AND_SAMPLE else _NOT_SAMPLED
        span_context = trace.SpanContext(trace_id, ids.generate_span_id(), False, flags, sampling.trace_state)
        if sampling.decision is Decision.DROP:
            return trace.NonRecordingSpan(span_context)
        span = LeanSpan(self, name, span_context, before if before.is_valid else None, kind)
        span.attributes.update(sampling.attributes or {})
        span.links = links or ()
        span.start_time = start_time or span.start_time
        return span

    @contextmanager
    def start_as_current_span(  # type: ignore[override]  # the API's return type is private to it
        self, *args: Any, **kwargs: Any
    ) -> Iterator[trace.Span]:
        """As the API says; our own code uses `spans.CurrentSpan`."""
        end_on_exit = kwargs.pop("end_on_exit", True)
        with trace.use_span(self.start_span(*args, **kwargs), end_on_exit, record_exception=False) as span:
            yield span


class LeanSpan(trace.Span):
    """Its public fields are what `otlp.encode` reads of a finished span. Not for several threads at once."""

    __slots__ = (
        "attributes", "context", "end_time", "events", "kind", "links", "name", "parent", "start_time",
        "status", "tracer",
    )  # fmt: skip

    def __init__(
        self,
        tracer: LeanTracer,
        name: str,
        context: trace.SpanContext,
        parent: trace.SpanContext | None,
        kind: trace.SpanKind,
    ) -> None:
        self.tracer = tracer
        self.name = name
        self.context = context
        self.parent = parent
        self.kind = kind
        self.attributes: dict[str, AttributeValue] = {}
        self.links: Sequence[trace.Link] = ()
        self.events: list[sdk.Event] = []
        self.status = _UNSET
        self.start_time = time.time_ns()
        self.end_time: int | None = None

    @property
    def resource(self) -> Resource:
        """The process's."""
        return self.tracer.provider.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """Who made it."""
        return self.tracer.scope

    def end(self, end_time: int | None = None) -> None:
        """Once; it belongs to the exporter then."""
        if self.end_time is None:
            self.end_time = end_time or time.time_ns()
            self.tracer.provider.processor.on_end(cast("sdk.ReadableSpan", self))

    def get_span_context(self) -> trace.SpanContext:
        """Who it is."""
        return self.context

    def is_recording(self) -> bool:
        """Until its end."""
        return self.end_time is None

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Nothing after the end."""
        if self.end_time is None:
            self.attributes.update(attributes)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """As `set_attributes`."""
        self.set_attributes({key: value})

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """With the time of now."""
        if self.end_time is None:
            self.events.append(sdk.Event(name, attributes, timestamp))

    def update_name(self, name: str) -> None:
        """Nothing after the end."""
        if self.end_time is None:
            self.name = name

    def set_status(self, status: trace.Status | trace.StatusCode, description: str | None = None) -> None:
        """The code alone: a description may quote what went wrong. OK stays OK (trace API, Set Status)."""
        code = status if isinstance(status, trace.StatusCode) else status.status_code
        if self.end_time is None and self.status.status_code is not trace.StatusCode.OK:
            self.status = trace.Status(code)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Its type: texts and stacks are not exported."""
        self.add_event("exception", {"exception.type": type(exception).__name__}, timestamp)
