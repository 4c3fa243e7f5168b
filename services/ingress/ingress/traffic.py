"""Requests counted by method, route template and status: how many, how fast, how many failed."""

from __future__ import annotations

import time
from typing import Final

from common.telemetry import metrics
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# As OpenTelemetry's conventions have it: whoever makes methods up must not make series.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_series: Final[dict[tuple[str, str, int], Histogram]] = {}


def count(method: str, route: str, status: int, seconds: float) -> None:
    """One that was answered. Routes and statuses are few, so each series is looked up once."""
    key = (method if method in _METHODS else "_OTHER", route, status)
    series = _series.get(key)
    if series is None:
        series = _series[key] = metrics.HTTP_SECONDS.labels(key[0], route, str(status))
    series.observe(seconds)


class Requests:
    """Around everything but the webhook, which counts its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A path that belongs to no route is `unmatched`: its text is anybody's."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            count(scope["method"], route, status, time.perf_counter() - started)
