"""X-Trace-Id on every answer of the API: the trace's, or an id made for it where nothing is traced."""

from __future__ import annotations

import uuid

from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEY = "muster.trace_id"


class TraceIds:
    """Inside the instrumentation's span."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The header is on problems too, for it is put on whatever is sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = trace.get_current_span().get_span_context()
        scope[_KEY] = f"{context.trace_id:032x}" if context.is_valid else uuid.uuid4().hex

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-trace-id", scope[_KEY].encode())]
            await send(message)

        await self._app(scope, receive, marked)


def trace_id_of(scope: Scope) -> str:
    """Of the request that this scope belongs to."""
    return str(scope[_KEY])
