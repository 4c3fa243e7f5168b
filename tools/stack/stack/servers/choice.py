"""Which way of having a server is taken: given, else Docker, else packages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from stack.errors import StackError
from stack.keeper import Keeper
from stack.keys import Secrets
from stack.ports import remembered
from stack.servers import docker, packages
from stack.servers.accounts import server_home
from stack.servers.docker import POSTGRES, RABBITMQ, Container
from stack.servers.given import GivenServer
from stack.servers.model import Place, Report, Server
from stack.servers.postgres import CONTAINED, FAST, PackagedPostgres
from stack.servers.rabbitmq import PackagedRabbit

Way = Literal["docker", "packages"]
PORT_NAMES = ("postgres", "rabbitmq", "epmd", "rabbitmq-dist")


@dataclass(frozen=True)
class Wish:
    """What the caller wants: URLs win over everything else, `prefer` over the order of attempts."""

    database_url: str | None = None
    amqp_url: str | None = None
    prefer: Way | None = None
    fast: bool = False
    postgres_options: Mapping[str, str] | None = None

    @classmethod
    def private(cls, *, fast: bool = False) -> Wish:
        """Servers of our own; MUSTER_SERVERS (docker or packages) says how."""
        return replace(cls.from_environment(fast=fast), database_url=None, amqp_url=None)

    @classmethod
    def from_environment(cls, *, fast: bool = False) -> Wish:
        """Those of DATABASE_URL and AMQP_URL, and private ones for what is not given."""
        prefer = os.environ.get("MUSTER_SERVERS") or None
        if prefer not in {"docker", "packages", None}:
            raise StackError(f"MUSTER_SERVERS is {prefer!r}", hint="it may be docker or packages")
        way: Way | None = "docker" if prefer == "docker" else "packages" if prefer == "packages" else None
        urls = (os.environ.get("DATABASE_URL") or None, os.environ.get("AMQP_URL") or None)
        return cls(database_url=urls[0], amqp_url=urls[1], prefer=way, fast=fast)


def choose(state: Path, keeper: Keeper, wish: Wish, report: Report) -> tuple[Server, Server]:
    """The two servers, not started yet; missing packages are installed here."""
    given = (
        None if wish.database_url is None else GivenServer("postgres", wish.database_url),
        None if wish.amqp_url is None else GivenServer("rabbitmq", wish.amqp_url),
    )
    if given[0] is not None and given[1] is not None:
        return given[0], given[1]
    private = _private(state, keeper, wish, report)
    return given[0] or private[0], given[1] or private[1]


def _private(state: Path, keeper: Keeper, wish: Wish, report: Report) -> tuple[Server, Server]:
    way = wish.prefer or ("docker" if _docker_works(report) else "packages")
    ports = remembered(state / "ports.json", PORT_NAMES)
    secrets = Secrets.of(state)

    def place(name: str) -> Place:
        home, password = server_home(state, name), secrets.password(name)
        return Place(home, state / "logs", keeper, ports[name], password, fast=wish.fast)

    options = {**CONTAINED, **(FAST if wish.fast else {}), **(wish.postgres_options or {})}
    if way == "docker":
        if not docker.engine_answers():
            raise StackError("no Docker engine of this machine answers", hint="start it, or MUSTER_SERVERS=packages")
        words = ["postgres", *(word for name, value in options.items() for word in ("-c", f"{name}={value}"))]
        return Container(place("postgres"), POSTGRES, words), Container(place("rabbitmq"), RABBITMQ)
    lacking = packages.missing()
    if lacking:
        report(f"installing {' and '.join(lacking)} with apt-get")
        packages.install(lacking)
    broker = PackagedRabbit(place("rabbitmq"), ports["epmd"], ports["rabbitmq-dist"], secrets.password("cookie"))
    return PackagedPostgres(place("postgres"), wish.postgres_options or {}), broker


def _docker_works(report: Report) -> bool:
    if not docker.engine_answers():
        return False
    report("a Docker engine answers: taking its images")
    if docker.image_ready(POSTGRES) and docker.image_ready(RABBITMQ):
        return True
    report("its images can't be had: taking the distribution's packages")
    return False
