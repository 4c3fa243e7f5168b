"""A real broker, killed and frozen for real: its own, which no other test uses at the time."""

from __future__ import annotations

import asyncio
import time

import pytest
from common.bus.publisher import Publisher
from common.errors import BrokerUnavailable
from common.ids import JobId
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE
from common.testing.builders import make_envelope, make_private_job
from common.testing.consuming import Shelf, consuming
from common.testing.polling import eventually
from common.testing.rabbitmq import Broker
from stack.servers import Server
from stack.testing import frozen

pytestmark = [pytest.mark.timeout(120), pytest.mark.slow]


async def test_nothing_confirmed_is_lost_when_the_broker_is_killed_in_the_middle(private_rabbitmq: Server) -> None:
    """F13 in small: jobs in flight in a handler and jobs waiting all survive kill -9, and work resumes by itself."""
    url, gate, handled = private_rabbitmq.url, asyncio.Event(), set[int]()
    begun = 0

    async def handle(job: ProcessPrivateMessage) -> None:
        nonlocal begun
        begun += 1
        await gate.wait()
        handled.add(job.update_id)

    publisher = Publisher(url, "test", timeout=5)
    async with Broker(url) as broker:
        queue = await broker.queue(DM_QUEUE)
        for number in range(1, 31):
            job = make_private_job(number, user_id=number)
            await publisher.publish(queue, job, job_id=JobId(str(number)))
        async with consuming(url, queue, handle, Shelf()):
            await eventually(lambda: begun == 20)
            await asyncio.to_thread(private_rabbitmq.kill)
            with pytest.raises(BrokerUnavailable):
                await publisher.publish(queue, make_private_job(31), job_id=JobId("31"))
            await asyncio.to_thread(private_rabbitmq.start)
            answered = time.monotonic()
            gate.set()
            await eventually(lambda: len(handled) == 30, within=30)
            assert time.monotonic() - answered < 10
            await publisher.publish(queue, make_private_job(31), job_id=JobId("31"))
            await eventually(lambda: 31 in handled)
        await eventually(lambda: is_empty(broker, queue.name))
    await publisher.close()


async def test_a_frozen_broker_costs_a_publish_its_time_box(private_rabbitmq: Server) -> None:
    """F15 in small."""
    publisher = Publisher(private_rabbitmq.url, "test", timeout=2)
    async with Broker(private_rabbitmq.url) as broker:
        queue = await broker.queue(DM_QUEUE)
        await publisher.send(make_envelope(queue=queue.name))
        with frozen(private_rabbitmq):
            started = time.monotonic()
            with pytest.raises(BrokerUnavailable):
                await publisher.send(make_envelope(queue=queue.name))
            assert time.monotonic() - started < 3
        await publisher.send(make_envelope(queue=queue.name))
        await publisher.close()


async def is_empty(broker: Broker, name: str) -> bool:
    return await broker.depth(name) == 0
