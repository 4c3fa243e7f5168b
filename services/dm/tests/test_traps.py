"""reliability.md §3, G1: aiogram's own webhook handler answers before the work is done, and forgets at a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from common.bus.consumer import Limits
from common.bus.publisher import Publisher
from common.ids import update_job_id
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE, Queue
from common.testing.consuming import Shelf, consuming
from common.testing.polling import eventually
from common.testing.rabbitmq import Broker
from dm.handlers import PrivateUpdates

from .driver import User

NewVoice = Callable[[], PrivateUpdates]


async def publish(broker: Broker, queue: Queue[ProcessPrivateMessage], job: ProcessPrivateMessage) -> None:
    publisher = Publisher(broker.url, "muster-test", timeout=5)
    await publisher.publish(queue, job, job_id=update_job_id(job.bot_id, job.update_id))
    await publisher.close()


async def test_g1_an_update_leaves_the_queue_only_when_its_work_is_done(
    ada: User, broker: Broker, new_voice: NewVoice
) -> None:
    """G1: SimpleRequestHandler answers 200 first and works in the background: a kill there loses the update."""
    queue, gate, begun = await broker.queue(DM_QUEUE), asyncio.Event(), asyncio.Event()
    await publish(broker, queue, ada.job(await ada.posts("/start")))

    async def slowly(job: ProcessPrivateMessage) -> None:
        begun.set()
        await gate.wait()
        await new_voice()(job)

    async with consuming(broker.url, queue, slowly, Shelf(), Limits(grace=0.05)):
        await begun.wait()  # and then this worker is gone, in the middle
    assert await ada.seen() == []
    assert await broker.depth(queue.name) == 1
    async with consuming(broker.url, queue, new_voice(), Shelf()):
        await eventually(lambda: settled(broker, queue, ada))
    assert [did.text for did in await ada.seen()] == [ada.said("start", name="Ada")]
    assert await broker.depth(queue.name) == 0


async def test_g1_a_conversation_goes_on_in_whichever_worker_gets_the_next_update(
    ada: User, broker: Broker, new_voice: NewVoice
) -> None:
    """G1: memory storage forgets the state at a restart, and each process has its own."""
    queue = await broker.queue(DM_QUEUE)
    for text, answer in (("/feedback", "feedback_ask"), ("an idea", "feedback_thanks")):
        await publish(broker, queue, ada.job(await ada.posts(text)))
        async with consuming(broker.url, queue, new_voice(), Shelf()):
            await eventually(lambda key=answer: said(ada, key))  # type: ignore[misc]  # mypy can't infer the default
    assert len(await ada.rows("feedback")) == 1


async def settled(broker: Broker, queue: Queue[ProcessPrivateMessage], user: User) -> bool:
    return bool(await user.seen()) and await broker.depth(queue.name) == 0


async def said(user: User, key: str) -> bool:
    return user.said(key) in [did.text for did in await user.seen()]
