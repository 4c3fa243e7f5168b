"""Many users at once, each in their own order, through a real queue."""

from __future__ import annotations

import asyncio

from common.bus.consumer import Limits
from common.bus.publisher import Publisher
from common.ids import update_job_id
from common.queues import DM_QUEUE
from common.testing.consuming import Shelf, consuming
from common.testing.polling import eventually
from common.testing.rabbitmq import Broker
from dm.handlers import PrivateUpdates

from .conftest import Join
from .driver import User

_USERS = 25
_SCRIPT = ("/start", "/feedback", "an idea", "/help", "/cancel")
_SAID = ("start", "feedback_ask", "feedback_thanks", "help", "cancel_nothing")


async def test_each_users_updates_are_answered_in_order(broker: Broker, voice: PrivateUpdates, join: Join) -> None:
    users = [await join(first_name="Ada") for _ in range(_USERS)]
    await users[0].sim.admin("PUT", "faults", rules=[], latency="1-20")
    queue, publisher = await broker.queue(DM_QUEUE), Publisher(broker.url, "muster-test", timeout=5)
    for text in _SCRIPT:
        jobs = [user.job(await user.posts(text)) for user in users]
        await asyncio.gather(
            *(publisher.publish(queue, job, job_id=update_job_id(job.bot_id, job.update_id)) for job in jobs)
        )
    async with consuming(broker.url, queue, voice, Shelf(), Limits(prefetch=50, grace=5)):
        await eventually(lambda: len(said_by_bot(users[0])) == _USERS * len(_SCRIPT), what="all is said", within=15)
    await publisher.close()
    for user in users:
        expected = [user.said(key, name="Ada") for key in _SAID]
        assert [did.text for did in await user.seen()] == expected
        assert len(await user.rows("feedback")) == 1


def said_by_bot(user: User) -> list[object]:
    return list(user.sim.stage.world.effects.log.since(0))
