"""Private servers: they answer, survive kill and restart with their data, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from stack.errors import StackError
from stack.identity import identify
from stack.servers import Servers, Wish, temporary
from stack.servers.given import GivenServer
from stack.servers.packages import missing
from stack.servers.rabbitmq import PackagedRabbit

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    if missing():
        pytest.skip("the distribution's packages are not installed")
    with temporary(Wish(prefer="packages")) as running:
        yield running


async def test_committed_rows_survive_kill_nine(servers: Servers) -> None:
    connection = await asyncpg.connect(servers.database_url)
    await connection.execute("CREATE TABLE survivors AS SELECT 42 AS answer")
    before = servers.postgres.pids()
    servers.postgres.kill()
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await connection.execute("SELECT 1")
    servers.postgres.start()
    again = await asyncpg.connect(servers.database_url)
    assert await again.fetchval("SELECT answer FROM survivors") == 42
    await again.close()
    assert not set(before) & set(servers.postgres.pids())


async def test_durable_messages_survive_kill_nine(servers: Servers) -> None:
    connection = await aio_pika.connect(servers.amqp_url)
    channel = await connection.channel(publisher_confirms=True)
    await channel.declare_queue("survivors", durable=True, arguments={"x-queue-type": "quorum"})
    message = aio_pika.Message(b"42", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, routing_key="survivors")
    # RabbitMQ 3.10 writes a new queue's name to its directory half a second later, and forgets the queue until then.
    _wait(lambda: b"survivors" in _directory(servers).read_bytes())
    servers.rabbitmq.kill()
    assert servers.rabbitmq.pids() == []
    servers.rabbitmq.start()
    async with await aio_pika.connect(servers.amqp_url) as again:
        queue = await (await again.channel()).get_queue("survivors")
        received = await queue.get(timeout=10)
    assert received.body == b"42"


def test_an_orderly_stop_and_a_new_start(servers: Servers) -> None:
    servers.postgres.stop()
    assert servers.postgres.pids() == []
    servers.postgres.start()
    assert servers.postgres.pids()


def test_servers_run_passes_the_exit_code_on_and_leaves_nothing(tmp_path: Path) -> None:
    if missing():
        pytest.skip("the distribution's packages are not installed")
    words = ["sh", "-c", 'test -n "$DATABASE_URL" && test -n "$AMQP_URL" && exit 7']
    done = subprocess.run(_stack("servers", "run", "--", *words), env=_in(tmp_path), check=False, timeout=100)
    assert done.returncode == 7
    assert list(tmp_path.iterdir()) == []


def test_kill_nine_of_the_parent_takes_the_servers_along(tmp_path: Path) -> None:
    if missing():
        pytest.skip("the distribution's packages are not installed")
    with subprocess.Popen(_stack("servers", "run", "--", "sleep", "600"), env=_in(tmp_path)) as parent:
        _wait(lambda: len(list(tmp_path.glob("muster-*/run/*.json"))) == 3)
        time.sleep(0.2)
        servers = [identify(pid) for pid in _children(tmp_path)]
        parent.send_signal(signal.SIGKILL)
    assert len(servers) == 3
    _wait(lambda: not any(who is not None and who.alive() for who in servers))
    _wait(lambda: list(tmp_path.iterdir()) == [])


def test_a_given_server_must_answer() -> None:
    with pytest.raises(StackError, match="nobody answers at"):
        GivenServer("postgres", "postgresql://somebody@127.0.0.1:1/db").start()


def _children(folder: Path) -> list[int]:
    return [json.loads(file.read_text())["pid"] for file in folder.glob("muster-*/run/*.json")]


def _stack(*words: str) -> list[str]:
    return [sys.executable, "-m", "stack", *words]


def _in(folder: Path) -> dict[str, str]:
    folder.chmod(0o711)
    return os.environ | {"TMPDIR": str(folder), "MUSTER_SERVERS": "packages"}


def _directory(servers: Servers) -> Path:
    assert isinstance(servers.rabbitmq, PackagedRabbit)
    return next(servers.rabbitmq.place.home.glob("mnesia/*/quorum/*/names.dets"))


def _wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("name", "url", "variable"),
    [
        ("postgres", "postgresql://u:sekret/xx@127.0.0.1/d", "DATABASE_URL"),
        ("postgres", "postgresql://u:p@127.0.0.1:abc/d", "DATABASE_URL"),
        ("postgres", "notaurl", "DATABASE_URL"),
        ("rabbitmq", "amqp://u:sek#ret@127.0.0.1/", "AMQP_URL"),
        ("rabbitmq", "postgresql://u:sekret@127.0.0.1/", "AMQP_URL"),
    ],
)
def test_a_url_that_can_not_be_used_is_told_by_its_variable_and_never_quoted(
    name: str, url: str, variable: str
) -> None:
    with pytest.raises(StackError) as refused:
        GivenServer(name, url).start()
    story = "\n".join(refused.value.lines())
    assert variable in story
    assert "sek" not in story
