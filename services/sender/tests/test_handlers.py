"""Until broadcasts are built, every job becomes a dead letter that says so, and can be replayed."""

from __future__ import annotations

from common.bus.consumer import Limits
from common.bus.publisher import Publisher
from common.ids import JobId
from common.jobs import SendFinalMessage
from common.queues import GROUP_MESSAGE_QUEUE
from common.runtime import JobStore
from common.store import dead_letters
from common.testing.consuming import consuming
from common.testing.polling import eventually
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from sender.handlers import handle


async def test_a_final_message_becomes_a_dead_letter_that_can_be_replayed(db: Database, broker: Broker) -> None:
    queue, publisher = await broker.queue(GROUP_MESSAGE_QUEUE), Publisher(broker.url, "muster-test", timeout=2)
    await publisher.publish(queue, SendFinalMessage(delivery_id=7), job_id=JobId("delivery:7"))
    await publisher.close()

    async def letters() -> list[dead_letters.DeadLetter]:
        async with db.transaction() as tx:
            return await dead_letters.unresolved(tx, 100)

    async with consuming(broker.url, queue, handle, JobStore(db.pool), Limits(grace=5)):
        (letter,) = await eventually(letters)
    assert (letter.job_id, letter.cause, letter.reason) == (
        "delivery:7",
        "rejected",
        "not built yet: send_final_message",
    )
    async with db.transaction() as tx:
        assert await dead_letters.replay(tx, letter.dead_letter_id)
        assert await tx.fetchval("SELECT attempt FROM outbox WHERE job_id = 'delivery:7'") == 2
    assert await letters() == []
