"""PostgreSQL and RabbitMQ for one state directory: given, in Docker, or private ones of the distribution's packages.

For tests, fault runs and benches: `with temporary() as servers: …`; with a keeper of one's own `start(folder, keeper)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.keeper import Keeper
from stack.servers.choice import Wish, choose
from stack.servers.model import Report, Server
from stack.servers.temporary import temporary_state

__all__ = ["Server", "Servers", "Wish", "start", "temporary", "temporary_state"]


@dataclass(frozen=True)
class Servers:
    """Both servers, running; each of them can be stopped, killed and started again."""

    postgres: Server
    rabbitmq: Server

    @property
    def database_url(self) -> str:
        """What DATABASE_URL has to say."""
        return self.postgres.url

    @property
    def amqp_url(self) -> str:
        """What AMQP_URL has to say."""
        return self.rabbitmq.url

    @property
    def environment(self) -> dict[str, str]:
        """Both, for a child's environment."""
        return {"DATABASE_URL": self.database_url, "AMQP_URL": self.amqp_url}

    def stop(self) -> None:
        """An orderly end of both."""
        self.rabbitmq.stop()
        self.postgres.stop()


def start(state: Path, keeper: Keeper, wish: Wish | None = None, *, report: Report = lambda _: None) -> Servers:
    """Start both at once and wait until they answer; the keeper ends them."""
    postgres, rabbitmq = choose(state, keeper, wish or Wish.from_environment(), report)
    with ThreadPoolExecutor() as pool:
        for waiting in [pool.submit(server.start) for server in (postgres, rabbitmq)]:
            waiting.result()
    return Servers(postgres, rabbitmq)


@contextmanager
def temporary(wish: Wish | None = None, *, report: Report = lambda _: None) -> Iterator[Servers]:
    """Fresh servers in a folder that goes away with them, also after kill -9 of this process."""
    with temporary_state() as (folder, keeper):
        yield start(folder, keeper, wish or Wish.private(fast=True), report=report)
