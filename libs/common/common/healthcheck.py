"""`python -m common.healthcheck PORT`: is the service in this container ready? For engines that ask by a command."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Sequence

_PATIENCE = 4.0  # seconds: a check of its own has two


def main(arguments: Sequence[str] | None = None) -> int:
    """0 ready, 1 not ready with the reason on stderr, 2 bad usage."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) != 1 or not words[0].isdecimal():
        sys.stderr.write("usage: python -m common.healthcheck PORT\n")
        return 2
    reason = unready(int(words[0]))
    if reason:
        sys.stderr.write(f"not ready: {reason}\n")
    return 1 if reason else 0


def unready(port: int) -> str:
    """What keeps the service from being ready; empty when nothing does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read(1024).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if answer.status == 200 else text


if __name__ == "__main__":
    sys.exit(main())
