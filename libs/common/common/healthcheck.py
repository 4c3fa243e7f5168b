"""`python -m common.healthcheck PORT [/livez]`: is this container's service ready, or alive? For engines' own checks.

`/livez` is for engines that end what is not healthy: a worker that waits for the database is not ready, and well.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Sequence

_PATIENCE = 4.0  # seconds: a check of its own has two
_STATES = {"/readyz": "ready", "/livez": "live"}


def main(arguments: Sequence[str] | None = None) -> int:
    """0 well, 1 not, with the reason on stderr, 2 bad usage."""
    words = sys.argv[1:] if arguments is None else arguments
    port, path = (*words, "/readyz")[:2] if words else ("", "")
    if len(words) > 2 or not port.isdecimal() or path not in _STATES:
        sys.stderr.write("usage: python -m common.healthcheck PORT [/readyz|/livez]\n")
        return 2
    reason = unwell(int(port), path)
    if reason:
        sys.stderr.write(f"not {_STATES[path]}: {reason}\n")
    return 1 if reason else 0


def unwell(port: int, path: str) -> str:
    """What keeps the service from being ready or alive; empty when nothing does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(1024).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if answer.status == 200 else text


if __name__ == "__main__":
    sys.exit(main())
