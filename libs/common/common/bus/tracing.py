"""W3C trace context in message headers, and span names and attributes by the messaging conventions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
_W3C = TraceContextTextMapPropagator()


def traceparent(span: trace.Span) -> str | None:
    """The header's value for a message published under `span`; None without a trace."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def parent_of(headers: Mapping[str, Any]) -> Context:
    """The context that a message was published in; an empty one for a missing or broken header."""
    value = headers.get(TRACEPARENT)
    if not isinstance(value, str):
        return Context()
    return _W3C.extract({TRACEPARENT: value}, context=Context())


def links_of(context: Context) -> list[trace.Link]:
    """The creation context is the parent and a link as well, as the conventions allow for single messages."""
    origin = trace.get_current_span(context).get_span_context()
    return [trace.Link(origin)] if origin.is_valid else []


def attributes(queue: str, operation: str, message_id: str, job_id: str) -> dict[str, str]:
    """`operation` is `send` or `process`."""
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": queue,
        "messaging.message.id": message_id,
        "muster.job_id": job_id,
    }
