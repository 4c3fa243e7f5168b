"""A server that somebody else runs: named by DATABASE_URL or AMQP_URL, used, never started or stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from stack.errors import StackError
from stack.servers.probes import reachable

PORTS: Final = {"postgres": {"postgres": 5432, "postgresql": 5432}, "rabbitmq": {"amqp": 5672, "amqps": 5671}}
VARIABLES: Final = {"postgres": "DATABASE_URL", "rabbitmq": "AMQP_URL"}
FORMS: Final = {
    "postgres": "postgresql://user:password@host:port/database",
    "rabbitmq": "amqp://user:password@host:port/virtual-host",
}


@dataclass
class GivenServer:
    """Only asked whether it is there."""

    name: str
    url: str
    origin: str = "given"

    def start(self) -> None:
        """An error when nobody listens at the address."""
        host, port = self._address()
        if not reachable(host, port):
            raise StackError(f"{self.name}: nobody answers at {host}:{port}", hint=_hint(self.name))

    def _address(self) -> tuple[str, int]:
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or "localhost", parts.port or PORTS[self.name].get(parts.scheme)
        except ValueError:  # its text may quote the password
            port = None
        if port is None:
            hint = f"it has the form {FORMS[self.name]}; what is special in a password is percent-encoded, # as %23"
            raise StackError(f"{VARIABLES[self.name]} can't be used", hint=hint)
        return host, port

    def stop(self) -> None:
        """Not ours to stop."""

    def kill(self) -> None:
        """Not ours to kill."""
        raise StackError(f"{self.name} is not ours to kill: it was given by its URL")

    def pids(self) -> list[int]:
        """Unknown."""
        return []


def _hint(name: str) -> str:
    return f"start it, or unset {VARIABLES[name]} to have a private one started"
