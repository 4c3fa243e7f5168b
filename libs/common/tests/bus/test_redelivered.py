"""A job says that it was somebody's before: RabbitMQ redelivers it when that one's channel is gone."""

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


async def test_only_a_job_whose_holder_went_away_says_that_it_is_redelivered(broker: Broker) -> None:
    queue, publisher = await broker.queue(DM_QUEUE), Publisher(broker.url, "muster-test", timeout=2)
    job = make_private_job()
    await publisher.publish(queue, job, job_id=update_job_id(job.bot_id, job.update_id))
    connection = await aio_pika.connect(broker.url)
    held = await (await connection.channel()).get_queue(queue.name)
    assert await held.get() is not None
    await connection.close()  # as a kill: taken and never answered
    await publisher.publish(queue, make_private_job(2), job_id=update_job_id(job.bot_id, 2))
    await publisher.close()
    seen: dict[int, bool] = {}

    async def note(taken: ProcessPrivateMessage) -> None:
        seen[taken.update_id] = taken.redelivered

    async with consuming(broker.url, queue, note, Shelf()):
        await eventually(lambda: len(seen) == 2)
    assert seen == {1: True, 2: False}


def test_it_is_never_on_the_wire() -> None:
    job = make_private_job().model_copy(update={"redelivered": True})
    assert b"redelivered" not in DM_QUEUE.adapter.dump_json(job)
