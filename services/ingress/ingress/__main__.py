"""The door, served by uvicorn: `python -m ingress`."""

from __future__ import annotations

import uvicorn
from common.errors import ConfigurationError

from ingress.backend import Backend
from ingress.settings import ServerSettings


def main() -> None:
    """Here a missing setting ends the process at once; on Vercel it answers 503."""
    try:
        Backend().check()
        settings = ServerSettings.load()
    except ConfigurationError as error:
        raise SystemExit(f"muster: {error}") from None
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


if __name__ == "__main__":
    main()
