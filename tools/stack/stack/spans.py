"""Spans as the services exported them, cut down to what a waterfall needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Status

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Span:
    """One piece of work of one service; times are nanoseconds since 1970."""

    trace_id: str
    span_id: str
    parent_id: str | None
    service: str
    name: str
    start: int
    end: int
    failed: bool = False

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return (self.end - self.start) / 1e6


def decode(body: bytes) -> list[Span]:
    """The spans of one OTLP export; DecodeError for bytes that are none."""
    request = ExportTraceServiceRequest.FromString(body)
    return [span for resource in request.resource_spans for span in _of(resource)]


def services(spans: Sequence[Span]) -> set[str]:
    """Who took part."""
    return {span.service for span in spans}


def whole(spans: Sequence[Span]) -> bool:
    """Whether it has a beginning and nobody's parent is still to come."""
    known = {span.span_id for span in spans}
    parents = {span.parent_id for span in spans}
    return None in parents and parents <= known | {None}


def _of(resource: ResourceSpans) -> Iterator[Span]:
    names = [each.value.string_value for each in resource.resource.attributes if each.key == "service.name"]
    for scope in resource.scope_spans:
        for span in scope.spans:
            yield Span(
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex() or None,
                service=names[0] if names else UNKNOWN,
                name=span.name,
                start=span.start_time_unix_nano,
                end=span.end_time_unix_nano,
                failed=span.status.code == Status.STATUS_CODE_ERROR,
            )
