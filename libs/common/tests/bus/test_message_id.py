"""A job knows the message that brought it: the same when RabbitMQ gives it out again, another for a copy."""

from __future__ import annotations

import aio_pika
from common.bus.publisher import Publisher
from common.ids import update_job_id
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE
from common.testing.builders import make_private_job
from common.testing.consuming import Shelf, consuming
from common.testing.polling import eventually
from common.testing.rabbitmq import Broker


async def test_a_message_keeps_its_name_and_a_copy_has_its_own(broker: Broker) -> None:
    queue, publisher = await broker.queue(DM_QUEUE), Publisher(broker.url, "muster-test", timeout=2)
    job = make_private_job()
    for _ in range(2):
        await publisher.publish(queue, job, job_id=update_job_id(job.bot_id, job.update_id))
    await publisher.close()
    connection = await aio_pika.connect(broker.url)
    held = await (await (await connection.channel()).get_queue(queue.name)).get()
    assert held is not None
    await connection.close()  # as a kill: taken and never answered
    seen: list[str] = []

    async def note(taken: ProcessPrivateMessage) -> None:
        seen.append(taken.message_id)

    async with consuming(broker.url, queue, note, Shelf()):
        await eventually(lambda: len(seen) == 2)
    assert held.message_id in seen
    assert len(set(seen)) == 2


def test_it_is_never_on_the_wire() -> None:
    job = make_private_job().model_copy(update={"message_id": "canary"})
    assert b"canary" not in DM_QUEUE.adapter.dump_json(job)
