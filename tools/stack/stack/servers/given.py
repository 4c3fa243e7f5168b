"""A server that somebody else runs: named by DATABASE_URL or AMQP_URL, used, never started or stopped."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from stack.errors import StackError
from stack.servers.probes import reachable

PORTS = {"postgres": 5432, "postgresql": 5432, "amqp": 5672, "amqps": 5671}


@dataclass
class GivenServer:
    """Only asked whether it is there."""

    name: str
    url: str
    origin: str = "given"

    def start(self) -> None:
        """An error when nobody listens at the address."""
        parts = urlsplit(self.url)
        host, port = parts.hostname or "localhost", parts.port or PORTS.get(parts.scheme)
        if port is None:
            raise StackError(f"{self.name}: the URL's scheme {parts.scheme!r} is not known")
        if not reachable(host, port):
            raise StackError(f"{self.name}: nobody answers at {host}:{port}", hint=_hint(self.name))

    def stop(self) -> None:
        """Not ours to stop."""

    def kill(self) -> None:
        """Not ours to kill."""
        raise StackError(f"{self.name} is not ours to kill: it was given by its URL")

    def pids(self) -> list[int]:
        """Unknown."""
        return []


def _hint(name: str) -> str:
    variable = "DATABASE_URL" if name == "postgres" else "AMQP_URL"
    return f"start it, or unset {variable} to have a private one started"
