"""The span of a block: current inside, ended after it, silent about exceptions."""

from __future__ import annotations

import pytest
from common.telemetry.spans import CurrentSpan
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

tracer = trace.get_tracer("test")


def test_what_begins_inside_is_its_child(spans: InMemorySpanExporter) -> None:
    before = trace.get_current_span()
    with (
        CurrentSpan(tracer, "outer", trace.SpanKind.SERVER, parent=Context(), attributes={"a": 1}) as outer,
        CurrentSpan(tracer, "inner", trace.SpanKind.CLIENT, links=[trace.Link(outer.get_span_context())]),
    ):
        assert trace.get_current_span() is not outer
    inner_end, outer_end = spans.get_finished_spans()
    assert trace.get_current_span() is before
    assert inner_end.parent == outer.get_span_context()
    assert (outer_end.parent, outer_end.kind, dict(outer_end.attributes or {})) == (
        None,
        trace.SpanKind.SERVER,
        {"a": 1},
    )
    assert [link.context for link in inner_end.links] == [outer.get_span_context()]


def test_an_exception_ends_it_and_is_not_told(spans: InMemorySpanExporter) -> None:
    before = trace.get_current_span()
    with pytest.raises(ValueError, match="Ada"), CurrentSpan(tracer, "broken", trace.SpanKind.INTERNAL):
        raise ValueError("Ada's words")
    (ended,) = spans.get_finished_spans()
    assert trace.get_current_span() is before
    assert ended.events == ()
    assert ended.status.description is None
