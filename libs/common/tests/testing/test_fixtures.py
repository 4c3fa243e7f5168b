"""The fixtures themselves: what the other tests stand on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from common.queues import DM_QUEUE
from common.testing.polling import eventually
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(100):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("name", ["ada", "grace"])
async def test_each_test_has_a_database_of_its_own(db: Database, name: str) -> None:
    async with db.transaction() as tx:
        await tx.execute("INSERT INTO users (user_id, first_name) VALUES (1, $1)", name)
        assert await tx.fetchval("SELECT count(*) FROM users") == 1


async def test_the_template_has_every_migration(db: Database) -> None:
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM schema_migrations") > 0


async def test_queues_of_one_test_are_not_another_ones(broker: Broker) -> None:
    first, second = await broker.queue(DM_QUEUE), await broker.queue(DM_QUEUE)
    await broker.put(first.name, b"one")
    assert (await broker.take(first.name)).body == b"one"
    assert await broker.depth(first.name) == await broker.depth(second.name) == 0


async def test_eventually_says_what_it_waited_for() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.05 s: a miracle"):
        await eventually(lambda: False, within=0.05, what="a miracle")


async def test_the_proxy_holds_what_a_partition_holds_and_delivers_it_when_healed() -> None:
    async with echo() as port, TcpProxy("127.0.0.1", port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.own_port)
        proxy.freeze("up")
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(5), 0.05)
        proxy.heal()
        assert await reader.readexactly(5) == b"hello"
        writer.close()


async def test_the_proxy_cuts_after_so_many_bytes_with_a_reset() -> None:
    async with echo() as port, TcpProxy("127.0.0.1", port) as proxy:
        proxy.cut_up_after = 3
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.own_port)
        writer.write(b"hello")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(5)
        assert proxy.connections == 0
        writer.close()


async def test_a_proxy_that_refuses_resets_new_connections() -> None:
    async with echo() as port, TcpProxy("127.0.0.1", port) as proxy:
        proxy.refuse = True
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.own_port)
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()
