"""The door, served by uvicorn: `python -m ingress`."""

from __future__ import annotations

import signal
from importlib.metadata import version
from threading import Timer
from types import FrameType
from typing import Any, Final

import uvicorn
from common.errors import ConfigurationError
from common.telemetry import metrics
from prometheus_client import start_http_server

from ingress.backend import Backend
from ingress.settings import ServerSettings

DRAIN: Final = 2.0  # seconds after SIGTERM in which connections are given up one by one, by their own requests


class Door:
    """The application; once it is closing, every answer asks its client to connect anew, elsewhere.

    A connection that is kept open and then closed under a request's feet is a request without an answer.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self.closing = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not self.closing or scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def goodbye(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = message | {"headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, goodbye)


class Server(uvicorn.Server):
    """Serves on for a moment after SIGTERM where somebody is connected; a second signal, or Ctrl-C, ends it at once."""

    def __init__(self, config: uvicorn.Config, door: Door) -> None:
        super().__init__(config)
        self._door = door

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by the signal."""
        if sig != signal.SIGTERM or self._door.closing or not self.server_state.connections:
            super().handle_exit(sig, frame)
            return
        self._door.closing = True
        timer = Timer(DRAIN, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()


def main() -> None:
    """Here a missing setting ends the process at once; on Vercel it answers 503."""
    try:
        Backend().check()
        settings = ServerSettings.load()
    except ConfigurationError as error:
        raise SystemExit(f"muster: {error}") from None
    if settings.metrics_port is not None:
        _serve_metrics(settings.host, settings.metrics_port)
    config = uvicorn.Config(
        "ingress.main:app",
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,  # above Telegram's idle time of 60 s, so that it never meets a closing connection
        timeout_graceful_shutdown=settings.shutdown_grace,
    )
    config.load()
    config.loaded_app = door = Door(config.loaded_app)
    Server(config, door).run()


def _serve_metrics(host: str, port: int) -> None:
    """On a thread of its own, which ends with the process."""
    metrics.BUILD.labels("ingress", version("muster-ingress")).set(1)
    try:
        start_http_server(port, host)
    except OSError as error:
        raise SystemExit(f"muster: MUSTER_METRICS_PORT {port} can't be used: {error.strerror}") from None


if __name__ == "__main__":
    main()
