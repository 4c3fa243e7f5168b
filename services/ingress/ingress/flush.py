"""The outermost wrapper: sends finished spans after the answer where the platform freezes the process between
requests.
"""

from __future__ import annotations

import os

from common.telemetry.setup import Telemetry
from starlette.types import ASGIApp, Receive, Scope, Send


class FlushTraces:
    """The client never waits for it; in the cluster the batch exporter's own thread does the work."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry
        self._frozen_between_requests = "VERCEL" in os.environ

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Also at shutdown, wherever it runs."""
        await self._app(scope, receive, send)
        if self._telemetry.on and (self._frozen_between_requests or scope["type"] == "lifespan"):
            await self._telemetry.flush(timeout=0.4 if scope["type"] == "lifespan" else 1.5)
