"""pytest plugin: servers of a session's own, which its tests may kill, freeze and start again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stack.servers import Server, Servers, Wish, temporary_state
from stack.servers.choice import choose


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
    with temporary_state("muster-test-") as (folder, keeper):
        yield Servers(*choose(folder, keeper, Wish.private(fast=True), print))


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
