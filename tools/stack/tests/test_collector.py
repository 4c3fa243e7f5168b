"""The receiver takes what OpenTelemetry's own exporter sends."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from stack.collector import Collector, TraceBook
from stack.ports import free_ports
from stack.spans import Span, services, whole


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector(free_ports(1)[0], TraceBook()) as running:
        yield running


@pytest.mark.parametrize("compression", [Compression.Gzip, Compression.NoCompression])
def test_spans_arrive_with_service_names_times_and_parents(collector: Collector, compression: Compression) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "dm"}))
    exporter = OTLPSpanExporter(endpoint=f"{collector.endpoint}/v1/traces", compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        pass
    trace = collector.book.wait(whole, timeout=5)
    provider.shutdown()
    assert trace is not None
    outer, inner = sorted(trace, key=lambda span: span.start)
    assert (outer.name, outer.parent_id, inner.name, inner.parent_id) == ("outer", None, "inner", outer.span_id)
    assert services(trace) == {"dm"}
    assert outer.start <= inner.start <= inner.end <= outer.end


def test_bytes_that_are_no_export_are_refused(collector: Collector) -> None:
    request = urllib.request.Request(f"{collector.endpoint}/v1/traces", data=b"\xff\xff\xff", method="POST")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)  # noqa: S310
    refused.value.close()
    assert refused.value.code == 400


def test_the_book_keeps_the_newest_traces_only() -> None:
    book = TraceBook(most=2)
    for name in "abc":
        book.add([_span(name)])
    assert book.wait(lambda spans: spans[0].trace_id == "a", timeout=0) is None
    assert book.wait(lambda spans: spans[0].trace_id == "c", timeout=0) == [_span("c")]


def test_waiting_ends_with_the_last_span() -> None:
    book = TraceBook()
    book.add([_span("a")])
    threading.Timer(0.1, lambda: book.add([_span("a")])).start()
    trace = book.wait(lambda spans: len(spans) == 2, timeout=5, quiet=0.2)
    assert trace == [_span("a"), _span("a")]


def _span(trace: str) -> Span:
    return Span(trace, "1", None, "dm", "work", 0, 1)
