"""The library's OTLP exporter behind a last belt: no exception text, no secret, whatever instrumentation put there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.util.types import Attributes

from common.telemetry.redact import redact

_EXCEPTION_TEXT = frozenset({"exception.message", "exception.stacktrace"})


class SafeExporter(OTLPSpanExporter):
    """Runs in the batch processor's thread; endpoint, headers, retries and TLS are the library's."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """As the library's, of spans that are safe."""
        return super().export([safe(span) for span in spans])


def safe(span: ReadableSpan) -> ReadableSpan:
    """The span itself where it is clean, which nearly all are; else a copy without what must not leave."""
    attributes = clean(span.attributes)
    name = redact(span.name)
    if attributes == span.attributes and name == span.name and not span.events and not span.status.description:
        return span
    return ReadableSpan(
        name=name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=[Event(redact(event.name), clean(event.attributes), event.timestamp) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=trace.Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def clean(attributes: Attributes) -> Attributes:
    """Without exception texts; strings redacted, and such that protobuf can hold them."""
    return {key: _value(value) for key, value in (attributes or {}).items() if key not in _EXCEPTION_TEXT}


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value.encode("utf-8", "replace").decode())
    if isinstance(value, bytes):
        return redact(value.decode("latin-1")).encode("latin-1")
    if isinstance(value, Mapping):
        return {key: _value(each) for key, each in value.items()}
    return tuple(map(_value, value)) if isinstance(value, tuple) else value
