"""The door, served by uvicorn: `python -m ingress`."""

from __future__ import annotations

from importlib.metadata import version

import uvicorn
from common.errors import ConfigurationError
from common.telemetry import metrics
from prometheus_client import start_http_server

from ingress.backend import Backend
from ingress.settings import ServerSettings


def main() -> None:
    """Here a missing setting ends the process at once; on Vercel it answers 503."""
    try:
        Backend().check()
        settings = ServerSettings.load()
    except ConfigurationError as error:
        raise SystemExit(f"muster: {error}") from None
    if settings.metrics_port is not None:
        _serve_metrics(settings.host, settings.metrics_port)
    uvicorn.run(
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


def _serve_metrics(host: str, port: int) -> None:
    """On a thread of its own, which ends with the process."""
    metrics.BUILD.labels("ingress", version("muster-ingress")).set(1)
    try:
        start_http_server(port, host)
    except OSError as error:
        raise SystemExit(f"muster: MUSTER_METRICS_PORT {port} can't be used: {error.strerror}") from None


if __name__ == "__main__":
    main()
