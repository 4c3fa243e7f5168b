"""What is declared, and what the broker makes of it."""

from __future__ import annotations

import aio_pika
import pytest
from aio_pika.exceptions import ChannelPreconditionFailed
from common.bus import topology
from common.queues import ALL_QUEUES, DM_QUEUE, RETRY_STEPS, all_names
from common.testing.rabbitmq import Broker


async def test_declaring_twice_changes_nothing(broker: Broker) -> None:
    queue = await broker.queue(DM_QUEUE)
    await broker.put(queue.name, b"{}")
    names = await topology.declare(broker.url, [queue])
    assert await broker.depth(queue.name) == 1
    assert set(names) == {queue.name, queue.dead, *(queue.retry(step) for step in RETRY_STEPS)}


async def test_other_arguments_are_refused_and_not_changed_in_silence(broker: Broker) -> None:
    queue = await broker.queue(DM_QUEUE)
    await broker.delete(queue.name)
    connection = await aio_pika.connect(broker.url)
    async with connection:
        await (await connection.channel()).declare_queue(queue.name, durable=True)
        with pytest.raises(ChannelPreconditionFailed):
            await topology.declare(broker.url, [queue])


async def test_a_rejected_job_waits_in_the_dead_queue(broker: Broker) -> None:
    queue = await broker.queue(DM_QUEUE)
    await broker.put(queue.name, b"poison")
    connection = await aio_pika.connect(broker.url)
    async with connection:
        source = await (await connection.channel()).get_queue(queue.name)
        message = await source.get(no_ack=False)
        await message.reject(requeue=False)
    assert (await broker.take(queue.dead)).body == b"poison"


async def test_a_short_step_does_not_wait_behind_a_long_one(broker: Broker) -> None:
    queue = await broker.queue(DM_QUEUE)
    await broker.put(queue.retry(RETRY_STEPS[1]), b"5 s")
    await broker.put(queue.retry(RETRY_STEPS[0]), b"1 s")
    assert (await broker.take(queue.name, within=3)).body == b"1 s"


def test_the_names_are_all_different() -> None:
    names = list(all_names())
    assert len(names) == len(set(names)) == len(ALL_QUEUES) * (2 + len(RETRY_STEPS))
