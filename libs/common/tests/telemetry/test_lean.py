"""The lean span is what the library's own would have been, seen from a collector."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from common.telemetry.lean import LeanProvider
from common.telemetry.otlp import encode
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

STRANGER = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
UNSAMPLED = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}


class Counting(IdGenerator):
    """1, 2, 3 …"""

    def __init__(self) -> None:
        self.last = 0

    def generate_span_id(self) -> int:
        self.last += 1
        return self.last

    generate_trace_id = generate_span_id


class Kept(SpanProcessor):
    """What ended."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def context_of(carrier: dict[str, str]) -> Context:
    return TraceContextTextMapPropagator().extract(carrier, context=Context())


def plain(tracer: trace.Tracer) -> None:
    with (
        tracer.start_as_current_span("a", kind=SpanKind.SERVER),
        tracer.start_as_current_span("b", attributes={"x": 1}),
    ):
        pass


def everything(tracer: trace.Tracer) -> None:
    link = Link(SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(1)), {"why": "because"})
    span = tracer.start_span("old", context_of(STRANGER), SpanKind.CONSUMER, {"a": "1"}, [link], start_time=5)
    span.set_attribute("b", 2)
    span.set_attributes({"c": [1.5, 2.5], "d": True})
    span.add_event("noticed", {"e": "f"}, timestamp=6)
    span.update_name("new")
    span.set_status(Status(StatusCode.ERROR))
    span.end(9)


def after_the_end(tracer: trace.Tracer) -> None:
    span = tracer.start_span("a", start_time=1)
    span.end(2)
    span.set_attribute("late", 1)
    span.add_event("late")
    span.update_name("late")
    span.set_status(StatusCode.ERROR)
    span.end(3)


def ok_stays_ok(tracer: trace.Tracer) -> None:
    span = tracer.start_span("a")
    span.set_status(StatusCode.OK)
    span.set_status(StatusCode.ERROR)
    span.end()


def not_sampled(tracer: trace.Tracer) -> None:
    with tracer.start_as_current_span("a", context_of(UNSAMPLED)) as span:
        assert not span.is_recording()
        assert span.get_span_context().trace_id == 0x0AF7651916CD43DD8448EB211C80319C


def exported(provider: TracerProvider, kept: Kept, act: Callable[[trace.Tracer], None]) -> ExportTraceServiceRequest:
    """Without the times of now."""
    provider.id_generator = Counting()  # type: ignore[assignment]  # inferred too narrowly
    act(provider.get_tracer("muster.test", "1"))
    request = ExportTraceServiceRequest.FromString(encode(kept.spans))
    for span in (s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans):
        for field in ("start_time_unix_nano", "end_time_unix_nano"):
            if getattr(span, field) > 1000:
                span.ClearField(field)
    return request


@pytest.mark.parametrize("act", [plain, everything, after_the_end, ok_stays_ok, not_sampled])
@pytest.mark.filterwarnings("ignore")  # the library's own warns of calls after the end
def test_a_collector_sees_no_difference(act: Callable[[trace.Tracer], None]) -> None:
    ours, theirs, resource = Kept(), Kept(), Resource({"service.name": "x"})
    usual = TracerProvider(resource=resource, shutdown_on_exit=False)
    usual.add_span_processor(theirs)
    assert exported(LeanProvider(resource, ours), ours, act) == exported(usual, theirs, act)


def test_the_sampler_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    kept = Kept()
    LeanProvider(Resource({}), kept).get_tracer("x").start_span("a").end()
    assert kept.spans == []


def test_an_exception_is_told_by_its_type() -> None:
    kept = Kept()
    with LeanProvider(Resource({}), kept).get_tracer("x").start_as_current_span("a") as span:
        span.record_exception(KeyError("Ada's words"))
        span.set_status(StatusCode.ERROR, "Ada's words")
    assert b"Ada" not in encode(kept.spans)
    assert b"KeyError" in encode(kept.spans)
