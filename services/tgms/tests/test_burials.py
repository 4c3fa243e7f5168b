"""What the broker itself gave up on becomes a row; the letter stays in its queue until the row is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from common.bus import topology
from common.bus.publisher import Publisher
from common.queues import ALL_QUEUES, DM_QUEUE
from common.runtime import Worker
from common.store import dead_letters
from common.store.dead_letters import DeadLetter
from common.store.pool import Pool
from common.testing.polling import eventually
from common.testing.postgres import Database, make_pool
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy
from stack.servers import Server
from tgms import burials
from tgms.settings import TgmsSettings

pytestmark = pytest.mark.timeout(60)  # the private broker's start is on the first test


@pytest.fixture
async def own_broker(private_rabbitmq: Server) -> AsyncIterator[Broker]:
    """With the queues under their real names, all empty."""
    await topology.declare(private_rabbitmq.url)
    async with Broker(private_rabbitmq.url) as broker:
        yield broker
        for queue in ALL_QUEUES:
            await broker.delete(queue.dead)


@asynccontextmanager
async def burying(broker: Broker, pool: Pool) -> AsyncIterator[None]:
    keys = {"webhook_keys": f"1:{'11' * 32}", "encryption_keys": f"k1:{'A' * 43}="}
    given = {"database_url": "postgresql://unused", "amqp_url": broker.url, **keys}
    settings = TgmsSettings.model_validate(given)
    worker = Worker("tgms", settings, pool, Publisher(broker.url, "muster-test", timeout=2), asyncio.Event())
    running = asyncio.create_task(burials.run(worker))
    yield
    worker.stop.set()
    await running


async def letters(db: Database) -> list[DeadLetter]:
    async with db.transaction() as tx:
        return await dead_letters.unresolved(tx, 100)


async def test_a_letter_of_each_dead_queue_becomes_a_row(db: Database, own_broker: Broker) -> None:
    for queue in ALL_QUEUES:
        headers = {"job_id": f"job of {queue.name}", "attempt": 4, "queue": queue.name}
        await own_broker.put(queue.dead, b"\x00body", type="some_kind", headers=headers)
    async with burying(own_broker, db.pool):
        found = await eventually(lambda: as_many(db, len(ALL_QUEUES)))
    assert {(letter.queue, letter.job_id, letter.kind) for letter in found} == {
        (queue.name, f"job of {queue.name}", "some_kind") for queue in ALL_QUEUES
    }
    assert {(letter.cause, letter.attempt) for letter in found} == {("delivery_limit", 4)}
    assert "may kill its worker" in found[0].reason


async def as_many(db: Database, count: int) -> list[DeadLetter]:
    found = await letters(db)
    return found if len(found) == count else []


async def test_a_letter_stays_while_the_database_is_away(db: Database, own_broker: Broker) -> None:
    async with TcpProxy.before(db.url) as proxy:
        proxy.refuse = True
        pool = make_pool(proxy.through(db.url), timeout=0.5)
        await own_broker.put(DM_QUEUE.dead, b"{}")
        async with burying(own_broker, pool):
            await eventually(lambda: proxy.accepted > 0)
            assert await letters(db) == []
            proxy.heal()
            await eventually(lambda: letters(db))
        await pool.close()
    assert await own_broker.depth(DM_QUEUE.dead) == 0


async def test_a_letter_without_any_header_becomes_a_row(db: Database, own_broker: Broker) -> None:
    await own_broker.put(DM_QUEUE.dead, b"\xff")
    async with burying(own_broker, db.pool):
        (letter,) = await eventually(lambda: letters(db))
    assert (letter.queue, letter.kind, letter.attempt) == (DM_QUEUE.name, "unknown", 1)
