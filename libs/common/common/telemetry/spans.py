"""A span that is current inside a `with`, and the trace that it is part of."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Token
from types import TracebackType

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.util.types import Attributes


def current_trace_id() -> str | None:
    """Of the job or request at work; None where nothing is traced."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


class CurrentSpan:
    """Begins when it is made and ends with the block; the library's own way stacks three generators for the same.

    Exceptions are not recorded: their texts may quote a user, and only who catches them knows what they mean.
    """

    __slots__ = ("_span", "_token")

    def __init__(
        self,
        tracer: trace.Tracer,
        name: str,
        kind: trace.SpanKind,
        *,
        parent: Context | None = None,
        attributes: Attributes = None,
        links: Sequence[trace.Link] = (),
    ) -> None:
        self._span = tracer.start_span(name, parent, kind, attributes, links, set_status_on_exception=False)

    def __enter__(self) -> trace.Span:
        self._token: Token[Context] = attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        detach(self._token)
        self._span.end()
