"""What becomes of jobs taken from a real queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import aio_pika
import pytest
from common.bus.consumer import Limits
from common.bus.settlement import MAX_ATTEMPTS
from common.errors import Reject, RetryLater, StoreUnavailable
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE, Queue
from common.telemetry import metrics
from common.testing.builders import make_private_job
from common.testing.consuming import Running, Shelf, consuming
from common.testing.polling import eventually
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy

Job = ProcessPrivateMessage


@pytest.fixture
async def queue(broker: Broker) -> Queue[Job]:
    return await broker.queue(DM_QUEUE)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def proxy(broker: Broker) -> AsyncIterator[TcpProxy]:
    async with TcpProxy.before(broker.url) as between:
        yield between


@pytest.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await eventually(lambda: asyncio.all_tasks() <= before | {asyncio.current_task()}, what="every task ended")


class Handler:
    """Notes what begins and what ends; waits at the gate, then does what the next of `outcomes` says."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.cancelled: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.outcomes = list(outcomes)

    async def __call__(self, job: Job) -> None:
        self.begun.append(job.update_id)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(job.update_id)
            raise
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        self.ended.append(job.update_id)


async def put(broker: Broker, queue: Queue[Job], *jobs: Job, **headers: object) -> None:
    for job in jobs:
        await broker.put(queue.name, queue.adapter.dump_json(job), type=job.kind, headers=headers)


async def holds(broker: Broker, queue: Queue[Job], count: int) -> bool:
    """What was handed back is there again: a quorum queue takes its time."""
    return await total(broker, queue) == count


async def total(broker: Broker, queue: Queue[Job]) -> int:
    """Everything ready in the queue and its satellites; meant for when nobody consumes."""
    names = [queue.name, queue.dead, *(queue.retry(timedelta(seconds=s)) for s in (1, 5, 30, 120, 600))]
    return sum([await broker.depth(name) for name in names])


async def test_no_more_jobs_are_in_flight_than_the_prefetch(broker: Broker, queue: Queue[Job], shelf: Shelf) -> None:
    handler = Handler()
    handler.gate.clear()
    await put(broker, queue, *(make_private_job(n, user_id=n) for n in range(1, 8)))
    async with consuming(broker.url, queue, handler, shelf, Limits(prefetch=3)):
        await eventually(lambda: len(handler.begun) == 3)
        await asyncio.sleep(0.1)  # a fourth would have had the time
        assert len(handler.begun) == 3
        handler.gate.set()
        await eventually(lambda: len(handler.ended) == 7)
    assert await total(broker, queue) == 0


async def test_no_more_jobs_are_at_work_than_allowed(broker: Broker, queue: Queue[Job], shelf: Shelf) -> None:
    handler = Handler()
    handler.gate.clear()
    await put(broker, queue, *(make_private_job(n, user_id=n) for n in range(1, 8)))
    async with consuming(broker.url, queue, handler, shelf, Limits(concurrency=3)):
        await eventually(lambda: len(handler.begun) == 3)
        await asyncio.sleep(0.1)  # a fourth would have had the time
        assert len(handler.begun) == 3
        handler.gate.set()
        await eventually(lambda: len(handler.ended) == 7)


async def test_one_users_many_updates_keep_nobody_out(broker: Broker, queue: Queue[Job], shelf: Shelf) -> None:
    handler = Handler()
    handler.gate.clear()
    await put(broker, queue, *map(make_private_job, range(1, 41)), make_private_job(99, user_id=7))
    async with consuming(broker.url, queue, handler, shelf, Limits(concurrency=2)):
        await eventually(lambda: handler.begun == [1, 99])
        handler.gate.set()
        await eventually(lambda: len(handler.ended) == 41)


async def test_a_connection_that_ends_is_told_and_counted(
    broker: Broker, proxy: TcpProxy, queue: Queue[Job], shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    before = reconnects(queue)
    async with consuming(proxy.through(broker.url), queue, Handler(), shelf):
        proxy.reset()
        await eventually(lambda: reconnects(queue) > before)
    assert "consumer lost its connection" in caplog.text


def reconnects(queue: Queue[Job]) -> float:
    return float(metrics.RECONNECTS.labels(queue.name)._value.get())


async def test_one_users_updates_are_handled_one_after_the_other(
    broker: Broker, queue: Queue[Job], shelf: Shelf
) -> None:
    handler = Handler()
    handler.gate.clear()
    await put(broker, queue, *(make_private_job(n) for n in (1, 2, 3)), make_private_job(4, user_id=7))
    async with consuming(broker.url, queue, handler, shelf):
        await eventually(lambda: handler.begun == [1, 4])
        handler.gate.set()
        await eventually(lambda: handler.ended == [1, 4, 2, 3])


async def test_retry_later_comes_back_after_its_step_with_one_more_attempt(
    broker: Broker, queue: Queue[Job], shelf: Shelf
) -> None:
    handler = Handler(RetryLater(timedelta(seconds=0.5), "not yet"))
    await put(broker, queue, make_private_job(1), attempt=3, job_id="tg:1:1")
    async with consuming(broker.url, queue, handler, shelf) as running:
        started = asyncio.get_running_loop().time()
        await eventually(lambda: handler.ended == [1])
        assert asyncio.get_running_loop().time() - started > 0.9
        await running.stopped()
    assert await total(broker, queue) == 0


@pytest.mark.parametrize(
    ("error", "step", "attempt"),
    [
        (RetryLater(timedelta(seconds=20), "flood", counts=False), timedelta(seconds=30), 1),
        (RetryLater(timedelta(seconds=3), "why"), timedelta(seconds=5), 2),
        (ValueError("a surprise"), timedelta(seconds=1), 2),
    ],
)
async def test_the_ladder_keeps_the_job_as_it_was(
    broker: Broker, queue: Queue[Job], shelf: Shelf, error: Exception, step: timedelta, attempt: int
) -> None:
    handler, job = Handler(error), make_private_job(1)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await put(broker, queue, job, job_id="tg:1:1", traceparent=trace)
    async with consuming(broker.url, queue, handler, shelf):
        waiting = await broker.take(queue.retry(step))
    assert waiting.headers["attempt"] == attempt
    assert waiting.headers["job_id"] == "tg:1:1"
    assert str(waiting.headers["traceparent"]).split("-")[1] == trace.split("-")[1]
    assert waiting.type == job.kind
    assert queue.adapter.validate_json(waiting.body) == job
    assert await total(broker, queue) == 0


async def test_what_is_longer_than_the_ladder_goes_to_the_store(
    broker: Broker, queue: Queue[Job], shelf: Shelf
) -> None:
    handler = Handler(RetryLater(timedelta(hours=1), "flood", counts=False))
    await put(broker, queue, make_private_job(1), job_id="tg:1:1")
    async with consuming(broker.url, queue, handler, shelf):
        await eventually(lambda: shelf.parked)
    [(envelope, delay)] = shelf.parked
    assert (envelope.job_id, envelope.attempt, delay) == ("tg:1:1", 1, timedelta(hours=1))
    assert await total(broker, queue) == 0


@pytest.mark.parametrize(
    ("error", "attempt", "cause", "reason"),
    [
        (Reject("not built yet"), 1, "rejected", "not built yet"),
        (ValueError("canary"), MAX_ATTEMPTS, "attempts", f"{MAX_ATTEMPTS} attempts, the last: ValueError"),
    ],
)
async def test_what_can_not_succeed_is_buried_with_its_reason(
    broker: Broker, queue: Queue[Job], shelf: Shelf, error: Exception, attempt: int, cause: str, reason: str
) -> None:
    await put(broker, queue, make_private_job(1), job_id="tg:1:1", attempt=attempt)
    async with consuming(broker.url, queue, Handler(error), shelf):
        await eventually(lambda: shelf.buried)
    [(envelope, said_cause, said_reason)] = shelf.buried
    assert (envelope.job_id, said_cause, said_reason) == ("tg:1:1", cause, reason)
    assert await total(broker, queue) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"canary",
        b"\xff\xfe",
        b'{"kind":"canary"}',
        b'{"kind":"process_private_message","bot_id":"canary"}',
        b"[" * 5000,
    ],
    ids=["empty", "text", "bytes", "unknown-kind", "wrong-field", "deep"],
)
async def test_bodies_that_are_no_job_are_buried_and_disturb_nobody(
    broker: Broker, queue: Queue[Job], shelf: Shelf, body: bytes
) -> None:
    handler = Handler()
    await broker.put(queue.name, body)
    await put(broker, queue, make_private_job(1))
    async with consuming(broker.url, queue, handler, shelf):
        await eventually(lambda: shelf.buried and handler.ended == [1])
    [(envelope, cause, reason)] = shelf.buried
    assert (envelope.body, cause) == (body, "rejected")
    assert "canary" not in reason
    assert await total(broker, queue) == 0


async def test_jobs_are_held_in_their_order_while_the_store_is_away(
    broker: Broker, queue: Queue[Job], shelf: Shelf
) -> None:
    handler = Handler(StoreUnavailable(), StoreUnavailable())
    await put(broker, queue, make_private_job(1), make_private_job(2))
    async with consuming(broker.url, queue, handler, shelf):
        await eventually(lambda: handler.ended == [1, 2])
    assert handler.begun == [1, 1, 1, 2]
    assert await total(broker, queue) == 0
    assert shelf == Shelf()


async def test_a_dead_letter_waits_for_its_row(broker: Broker, queue: Queue[Job]) -> None:
    shelf = Shelf(fails_with=[StoreUnavailable(), StoreUnavailable()])
    await put(broker, queue, make_private_job(1))
    async with consuming(broker.url, queue, Handler(Reject("no"), Reject("no"), Reject("no")), shelf):
        await eventually(lambda: shelf.buried)
    assert len(shelf.buried) == 1
    assert await total(broker, queue) == 0


async def test_a_job_is_kept_while_its_ladder_is_missing(broker: Broker, queue: Queue[Job], shelf: Shelf) -> None:
    handler = Handler(*(RetryLater(timedelta(seconds=5), "later") for _ in range(100)))
    ladder = queue.retry(timedelta(seconds=5))
    await broker.delete(ladder)
    await put(broker, queue, make_private_job(1))
    async with consuming(broker.url, queue, handler, shelf):
        await eventually(lambda: len(handler.begun) >= 2)
    assert await total_without(broker, queue, ladder) == 1


async def test_a_stop_finishes_what_runs_and_hands_back_what_waits(
    broker: Broker, queue: Queue[Job], shelf: Shelf
) -> None:
    handler = Handler()
    handler.gate.clear()
    await put(broker, queue, *(make_private_job(n) for n in range(1, 6)))
    async with consuming(broker.url, queue, handler, shelf) as running:
        await eventually(lambda: handler.begun == [1])
        running.stop.set()
        await eventually(running.consumer._stopping.is_set)
        handler.gate.set()
        await running.task
        assert handler.ended == [1]
    assert await total(broker, queue) == 4


async def test_a_job_that_outlasts_the_grace_is_cancelled_and_handed_back(
    broker: Broker, queue: Queue[Job], shelf: Shelf
) -> None:
    handler = Handler()
    handler.gate.clear()
    await put(broker, queue, make_private_job(1))
    async with consuming(broker.url, queue, handler, shelf, Limits(grace=0.1)) as running:
        await eventually(lambda: handler.begun == [1])
        await running.stopped()
    assert handler.cancelled == [1]
    await eventually(lambda: holds(broker, queue, 1))


async def test_a_held_job_is_handed_back_at_a_stop(broker: Broker, queue: Queue[Job], shelf: Shelf) -> None:
    handler = Handler(*(StoreUnavailable() for _ in range(1000)))
    await put(broker, queue, make_private_job(1))
    async with consuming(broker.url, queue, handler, shelf):
        await eventually(lambda: len(handler.begun) >= 2)
    assert handler.ended == []
    await eventually(lambda: holds(broker, queue, 1))


async def test_a_stop_while_the_broker_is_away_waits_for_what_runs(
    broker: Broker, queue: Queue[Job], shelf: Shelf, proxy: TcpProxy
) -> None:
    handler = Handler()
    handler.gate.clear()
    await put(broker, queue, make_private_job(1))
    async with consuming(proxy.through(broker.url), queue, handler, shelf) as running:
        await eventually(lambda: handler.begun == [1])
        proxy.refuse = True
        proxy.reset()
        await eventually(lambda: not running.consumer.connected)
        running.stop.set()
        await asyncio.sleep(0.1)
        assert not running.task.done()
        handler.gate.set()
        await running.task
    assert handler.ended == [1]
    assert await total(broker, queue) == 1  # it could not be acknowledged: its inbox row knows it


async def test_a_held_job_is_let_go_when_its_connection_is_lost(
    broker: Broker, queue: Queue[Job], shelf: Shelf, proxy: TcpProxy
) -> None:
    handler = Handler(*(StoreUnavailable() for _ in range(1000)))
    await put(broker, queue, make_private_job(1))
    async with consuming(proxy.through(broker.url), queue, handler, shelf) as running:
        for losses in range(1, 4):
            await lose(running, handler, proxy, losses)
        await eventually(lambda: running.consumer.connected and len(running.consumer._tasks) == 1, within=15)


async def test_a_queue_that_is_not_declared_yet_is_waited_for(broker: Broker, shelf: Shelf) -> None:
    handler, queue = Handler(), await broker.queue(DM_QUEUE)
    await broker.delete(queue.name)
    stop_early = asyncio.create_task(declare_again(broker, queue))
    async with consuming(broker.url, queue, handler, shelf):
        await stop_early
        await put(broker, queue, make_private_job(1))
        await eventually(lambda: handler.ended == [1])


async def test_readiness_follows_the_connection(
    broker: Broker, queue: Queue[Job], shelf: Shelf, proxy: TcpProxy
) -> None:
    async with consuming(proxy.through(broker.url), queue, Handler(), shelf) as running:
        proxy.refuse = True
        proxy.cut()
        await eventually(lambda: not running.consumer.connected)
        proxy.heal()
        await eventually(lambda: running.consumer.connected)


async def lose(running: Running, handler: Handler, proxy: TcpProxy, losses: int) -> None:
    await eventually(lambda: running.consumer.connected and len(handler.begun) > losses)
    proxy.reset()
    await eventually(lambda: proxy.accepted > losses)


async def declare_again(broker: Broker, queue: Queue[Job]) -> None:
    await asyncio.sleep(0.3)
    connection = await aio_pika.connect(broker.url)
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue(queue.name, durable=True)


async def total_without(broker: Broker, queue: Queue[Job], missing: str) -> int:
    names = [queue.name, queue.dead, *(queue.retry(timedelta(seconds=s)) for s in (1, 5, 30, 120, 600))]
    return sum([await broker.depth(name) for name in names if name != missing])
