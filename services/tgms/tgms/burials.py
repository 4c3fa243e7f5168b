"""Turns what the broker itself gave up on (delivery limit) into rows that operators see."""

from __future__ import annotations

from common.bus.dead import DeadQueue
from common.queues import ALL_QUEUES
from common.runtime import JobStore, Worker


async def run(worker: Worker) -> None:
    """One consumer for the dead queues of all three."""
    url = worker.settings.amqp_url.get_secret_value()
    await DeadQueue(url, ALL_QUEUES, JobStore(worker.pool)).run(worker.stop)
