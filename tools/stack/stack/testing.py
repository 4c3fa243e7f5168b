"""pytest plugin: servers of a session's own, which its tests may kill, freeze and start again."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stack.keeper import Keeper
from stack.servers import Server, Servers, Wish
from stack.servers.choice import choose
from stack.servers.docker import Container


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Every process of it stopped, as a machine that hangs; it goes on afterwards."""
    pids = server.pids()
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


@pytest.fixture(scope="session")
def private_servers() -> Iterator[Servers]:
    """Not started yet: a session that asks for one of them does not pay for the other."""
    folder = Path(tempfile.mkdtemp(prefix="muster-test-"))
    folder.chmod(0o711)  # the servers' own users have to pass
    with Keeper(folder / "run") as keeper:
        keeper.warden.remove(folder)
        servers = Servers(*choose(folder, keeper, Wish.private(fast=True), print))
        for server in (servers.postgres, servers.rabbitmq):
            if isinstance(server, Container):
                keeper.warden.afterwards(server.volume_removal)
        yield servers


@pytest.fixture
def private_rabbitmq(private_servers: Servers) -> Server:
    """Running, whatever the test before did to it."""
    return _running(private_servers.rabbitmq)


@pytest.fixture
def private_postgres(private_servers: Servers) -> Server:
    """Running, whatever the test before did to it."""
    return _running(private_servers.postgres)


def _running(server: Server) -> Server:
    if not server.pids():
        server.start()
    return server


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)
