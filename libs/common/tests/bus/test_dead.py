"""From the broker's own dead-lettering to a row that operators see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import pytest
from common.bus import topology
from common.bus.dead import DeadQueue
from common.bus.topology import DELIVERY_LIMIT
from common.errors import StoreUnavailable
from common.queues import DM_QUEUE, TGMS_QUEUE, Queue
from common.runtime import JobStore
from common.store import dead_letters
from common.testing.consuming import Shelf
from common.testing.polling import eventually
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy


@asynccontextmanager
async def collecting(dead: DeadQueue) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(dead.run(stop))
    yield
    stop.set()
    await running


async def deliver_too_often(broker: Broker, name: str) -> None:
    """As a worker that dies with the job, each time."""
    connection = await aio_pika.connect(broker.url)
    async with connection:
        queue = await (await connection.channel()).get_queue(name)
        for _ in range(DELIVERY_LIMIT + 1):
            message = await eventually(lambda: queue.get(no_ack=False, fail=False))
            await message.nack(requeue=True)


async def test_a_job_that_is_delivered_too_often_becomes_a_row(broker: Broker, db: Database) -> None:
    queue = await broker.queue(DM_QUEUE)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"job_id": "tg:1:1", "attempt": 2, "traceparent": trace}
    await broker.put(queue.name, b'{"kind":"x"}', type="process_private_message", headers=headers)
    await deliver_too_often(broker, queue.name)
    async with collecting(DeadQueue(broker.url, [queue], JobStore(db.pool))):
        [letter] = await eventually(lambda: unresolved(db))
    assert (letter.job_id, letter.queue, letter.kind) == ("tg:1:1", queue.name, "process_private_message")
    assert (letter.cause, letter.attempt) == ("delivery_limit", 2)
    assert await broker.depth(queue.dead) == 0


async def test_letters_of_every_queue_know_where_they_came_from(broker: Broker) -> None:
    shelf, queues = Shelf(), [await broker.queue(DM_QUEUE), await broker.queue(TGMS_QUEUE)]
    for queue in queues:
        await broker.put(queue.dead, b"{}")
    async with collecting(DeadQueue(broker.url, queues, shelf)):
        await eventually(lambda: len(shelf.buried) == 2)
    assert {envelope.queue for envelope, _, _ in shelf.buried} == {queue.name for queue in queues}


@pytest.mark.parametrize("trouble", [StoreUnavailable(), ValueError("canary")])
async def test_a_letter_stays_until_its_row_is_committed(broker: Broker, trouble: Exception) -> None:
    shelf, queue = Shelf(fails_with=[trouble]), await broker.queue(DM_QUEUE)
    await broker.put(queue.dead, b"first")
    await broker.put(queue.dead, b"second")
    async with collecting(DeadQueue(broker.url, [queue], shelf)):
        await eventually(lambda: len(shelf.buried) == 2)
    assert [envelope.body for envelope, _, _ in shelf.buried] == [b"first", b"second"]
    assert await broker.depth(queue.dead) == 0


async def test_it_comes_back_after_a_loss(broker: Broker) -> None:
    shelf, queue = Shelf(), await broker.queue(DM_QUEUE)
    async with (
        TcpProxy.before(broker.url) as proxy,
        collecting(DeadQueue(proxy.through(broker.url), [queue], shelf)),
    ):
        await eventually(lambda: proxy.connections == 1)
        proxy.reset()
        await broker.put(queue.dead, b"{}")
        await eventually(lambda: shelf.buried)


async def unresolved(db: Database) -> list[dead_letters.DeadLetter]:
    async with db.transaction() as tx:
        return await dead_letters.unresolved(tx, 10)


async def test_a_queue_that_is_missing_is_waited_for(broker: Broker) -> None:
    shelf, queue = Shelf(), Queue("test.not.there", DM_QUEUE.adapter)
    async with collecting(DeadQueue(broker.url, [queue], shelf)):
        await asyncio.sleep(0.05)


async def test_a_queue_that_is_declared_anew_is_heard_again(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that the broker cancelled would be deaf from then on."""
    monkeypatch.setattr("common.bus.dead._INTERVAL", 0.1)
    shelf, queue = Shelf(), await broker.queue(DM_QUEUE)
    async with collecting(DeadQueue(broker.url, [queue], shelf)):
        await broker.delete(queue.dead)
        await topology.declare(broker.url, [queue])
        await broker.put(queue.dead, b"{}")
        await eventually(lambda: shelf.buried)


async def test_two_strangers_letters_are_two(broker: Broker, db: Database) -> None:
    """Without a job id they would count as one, and the second would be dropped."""
    queue = await broker.queue(DM_QUEUE)
    await broker.put(queue.dead, b"one")
    await broker.put(queue.dead, b"two")
    async with collecting(DeadQueue(broker.url, [queue], JobStore(db.pool))):
        await eventually(lambda: is_empty(broker, queue.dead))
        assert len(await unresolved(db)) == 2


async def is_empty(broker: Broker, name: str) -> bool:
    return await broker.depth(name) == 0
