"""Trace context in headers."""

from __future__ import annotations

from typing import Any

import pytest
from common.bus import tracing
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

VALUE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_header_leads_back_to_its_span(spans: InMemorySpanExporter) -> None:
    with trace.get_tracer("test").start_as_current_span("origin") as span:
        header = tracing.traceparent(span)
    context = tracing.parent_of({"traceparent": header})
    assert trace.get_current_span(context).get_span_context().span_id == span.get_span_context().span_id
    [link] = tracing.links_of(context)
    assert link.context.trace_id == span.get_span_context().trace_id


def test_no_trace_means_no_header() -> None:
    assert tracing.traceparent(trace.INVALID_SPAN) is None


@pytest.mark.parametrize("value", [None, "", "nonsense", 7, b"x", VALUE[:-1], VALUE.replace("0af7", "0Ag7")])
def test_a_broken_header_begins_a_new_trace(value: Any) -> None:
    context = tracing.parent_of({"traceparent": value})
    assert not trace.get_current_span(context).get_span_context().is_valid
    assert tracing.links_of(context) == []
