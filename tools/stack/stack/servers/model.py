"""What every way of having a server has in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stack.keeper import Keeper

Report = Callable[[str], None]


class Server(Protocol):
    """PostgreSQL or RabbitMQ, wherever it comes from."""

    @property
    def name(self) -> str:
        """`postgres` or `rabbitmq`."""

    @property
    def url(self) -> str:
        """What DATABASE_URL or AMQP_URL has to say."""

    @property
    def origin(self) -> str:
        """Where it comes from, for people: `given`, `docker`, `packages`."""

    def start(self) -> None:
        """Start it and wait until it answers; its data is what it was when it stopped or was killed."""

    def stop(self) -> None:
        """An orderly end."""

    def kill(self) -> None:
        """kill -9 for every process of it, as a crash would."""

    def pids(self) -> list[int]:
        """Its processes, the main one first; none for a server that is not ours."""


@dataclass(frozen=True)
class Place:
    """Where a private server lives, and who looks after its processes."""

    home: Path  # configuration and data, reachable by the server's own user
    logs: Path
    keeper: Keeper
    port: int
    password: str
    fast: bool = False  # gives durability up for speed: for tests only

    @property
    def root(self) -> Path:
        """The folder of the state that the server belongs to."""
        return self.logs.parent
