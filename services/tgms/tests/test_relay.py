"""Outbox rows reach the broker: in order, once confirmed, and only from the leader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from common.bus.publisher import Publisher
from common.ids import JobId
from common.queues import DM_QUEUE, Queue
from common.store import outbox
from common.testing.builders import make_envelope
from common.testing.polling import eventually
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy
from tgms.leader import Leader
from tgms.relay import BATCH, Relay


@pytest.fixture
async def queue(broker: Broker) -> Queue[Any]:
    """This test's own."""
    return await broker.queue(DM_QUEUE)


@asynccontextmanager
async def relaying(
    db: Database, publisher: Publisher, leader: Leader, interval: float = 0.02
) -> AsyncIterator[asyncio.Task[None]]:
    stop, relay = asyncio.Event(), Relay(db.pool, publisher, leader, interval=interval)
    running = asyncio.create_task(relay.run(stop))
    yield running
    stop.set()
    await running


async def put(db: Database, queue: str, *jobs: str, **more: Any) -> None:
    async with db.transaction() as tx:
        for job in jobs:
            await outbox.add(tx, make_envelope(queue=queue, body=b"{}", job_id=JobId(job)), **more)


async def left(db: Database) -> int:
    async with db.transaction() as tx:
        count: int = await tx.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
        return count


async def all_gone(db: Database) -> bool:
    return await left(db) == 0


async def arrived(broker: Broker, queue: Queue[Any], count: int) -> list[str]:
    return [str((await broker.take(queue.name)).headers["job_id"]) for _ in range(count)]


async def test_rows_arrive_in_the_order_they_were_put_in(
    db: Database, broker: Broker, queue: Queue[Any], publisher: Publisher, leader: Leader
) -> None:
    jobs = [f"job-{number}" for number in range(50)]
    await put(db, queue.name, *jobs)
    async with relaying(db, publisher, leader):
        assert await arrived(broker, queue, 50) == jobs
        await eventually(lambda: all_gone(db))


async def test_a_row_arrives_as_it_was_put_in(
    db: Database, broker: Broker, queue: Queue[Any], publisher: Publisher, leader: Leader
) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    async with db.transaction() as tx:
        await outbox.add(tx, make_envelope(queue=queue.name, body=b"\x00\xff", attempt=3, traceparent=traceparent))
    async with relaying(db, publisher, leader):
        message = await broker.take(queue.name)
    assert (message.body, message.type) == (b"\x00\xff", "process_private_message")
    assert message.headers["attempt"] == 3
    assert (
        str(message.headers["traceparent"])[:35] == traceparent[:35]
    )  # the same trace; where it is traced, a later span


async def test_more_than_a_batch_waits_for_no_interval(
    db: Database, broker: Broker, queue: Queue[Any], publisher: Publisher, leader: Leader
) -> None:
    await put(db, queue.name, *(f"job-{number}" for number in range(2 * BATCH + 1)))
    async with relaying(db, publisher, leader, interval=60):
        await eventually(lambda: all_gone(db))
    assert await broker.depth(queue.name) == 2 * BATCH + 1


async def test_a_job_is_not_published_before_its_time(
    db: Database, broker: Broker, queue: Queue[Any], publisher: Publisher, leader: Leader
) -> None:
    started = asyncio.get_running_loop().time()
    await put(db, queue.name, "later", delay=timedelta(seconds=0.6))
    await put(db, queue.name, "now")
    async with relaying(db, publisher, leader):
        assert await arrived(broker, queue, 2) == ["now", "later"]
        assert asyncio.get_running_loop().time() - started > 0.6


async def test_rows_wait_while_the_broker_is_away(
    db: Database, broker: Broker, queue: Queue[Any], leader: Leader
) -> None:
    async with TcpProxy.before(broker.url) as proxy:
        proxy.refuse = True
        publisher = Publisher(proxy.through(broker.url), "muster-test", timeout=0.4)
        await put(db, queue.name, "a", "b")
        async with relaying(db, publisher, leader):
            await eventually(lambda: proxy.accepted >= 3)
            assert await left(db) == 2
            proxy.heal()
            assert await arrived(broker, queue, 2) == ["a", "b"]
            await eventually(lambda: all_gone(db))
        await publisher.close()


async def test_a_frozen_broker_does_not_cost_the_lease(
    db: Database, broker: Broker, queue: Queue[Any], leader: Leader
) -> None:
    """A transaction held during a publish would keep the lease's row locked, and the leader would lose it."""
    async with TcpProxy.before(broker.url) as proxy:
        publisher = Publisher(proxy.through(broker.url), "muster-test", timeout=3)
        await publisher.ping()
        proxy.freeze()
        await put(db, queue.name, "a")
        async with relaying(db, publisher, leader):
            async with db.transaction() as tx:
                await tx.execute("SET LOCAL lock_timeout = '500ms'")
                await tx.execute("UPDATE leases SET expires_at = expires_at")
            proxy.heal()
            await eventually(lambda: all_gone(db))
        await publisher.close()


async def test_killed_between_publish_and_record_a_job_comes_twice_with_one_id(
    db: Database,
    broker: Broker,
    queue: Queue[Any],
    publisher: Publisher,
    leader: Leader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(BaseException):
        pass

    async def dies(*_: object) -> None:
        raise Killed

    await put(db, queue.name, "a")
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "published", dies)
        with pytest.raises(Killed):
            await Relay(db.pool, publisher, leader, interval=1)._tick()
    assert await left(db) == 1
    async with relaying(db, publisher, leader):
        assert await arrived(broker, queue, 2) == ["a", "a"]


async def test_a_job_in_an_order_keeps_its_row_until_it_is_handled(
    db: Database, broker: Broker, queue: Queue[Any], publisher: Publisher, leader: Leader
) -> None:
    await put(db, queue.name, "a", order=("1:42", 7))
    async with relaying(db, publisher, leader):
        assert await arrived(broker, queue, 1) == ["a"]
        await eventually(lambda: all_gone(db))
    async with db.transaction() as tx:
        assert await outbox.first(tx, ("1:42", 8)) == 7
        await outbox.handled(tx, ("1:42", 7))
        assert await outbox.first(tx, ("1:42", 8)) is None


async def test_a_job_for_a_queue_that_is_not_there_holds_up_no_other(
    db: Database, broker: Broker, queue: Queue[Any], publisher: Publisher, leader: Leader
) -> None:
    await put(db, "no_such_queue", "lost")
    await put(db, queue.name, "a")
    async with relaying(db, publisher, leader):
        assert await arrived(broker, queue, 1) == ["a"]
        await eventually(lambda: one_left(db))


async def one_left(db: Database) -> bool:
    return await left(db) == 1


async def test_who_does_not_lead_publishes_nothing(
    db: Database, broker: Broker, queue: Queue[Any], publisher: Publisher, leader: Leader
) -> None:
    await put(db, queue.name, "a")
    another = Leader(db.pool, ttl=5)
    async with relaying(db, publisher, another):
        await another._renew()  # asks and is refused
        assert not await another.elected(0.2)
        assert await left(db) == 1
    assert await broker.depth(queue.name) == 0
