"""Declares every queue: a step of its own (`python -m common topology`), idempotent, before any worker starts.

Only arguments that mean the same on RabbitMQ 3.10 and 4.x (reliability §1): quorum, an explicit delivery limit, dead-
lettering at
least once with reject-publish.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from aio_pika.abc import AbstractChannel
from pamqp.common import FieldTable

from common.bus import wire
from common.bus.session import losses_named, session
from common.queues import ALL_QUEUES, RETRY_STEPS, Queue

# High, because a worker that dies with 20 unacked jobs counts against each of them: attempts are counted in our own
# header.
DELIVERY_LIMIT = 20
# RabbitMQ 4 drops what was delivered 20 times and has nowhere to go: a dead letter stays until its row is committed.
_KEEPS: Final[FieldTable] = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}


async def declare(url: str, queues: Iterable[Queue[Any]] = ALL_QUEUES) -> list[str]:
    """The names declared; BrokerUnavailable, also where a queue exists with other arguments."""
    wire.parse_address(url)  # says what is wrong with it; aio-pika only fails
    with losses_named():
        async with session(url) as now:
            return [name for queue in queues for name in await _declare(now.channel, queue)]


async def _declare(channel: AbstractChannel, queue: Queue[Any]) -> list[str]:
    # The dead queue first: at-least-once dead-lettering to a queue that is missing retries only after 180 s.
    await channel.declare_queue(queue.dead, durable=True, arguments=_KEEPS)
    await channel.declare_queue(
        queue.name, durable=True, arguments=_moves_to(queue.dead) | {"x-delivery-limit": DELIVERY_LIMIT}
    )
    for step in RETRY_STEPS:
        arguments = _moves_to(queue.name) | {"x-message-ttl": int(step.total_seconds() * 1000)}
        await channel.declare_queue(queue.retry(step), durable=True, arguments=arguments)
    return [queue.dead, queue.name, *(queue.retry(step) for step in RETRY_STEPS)]


def _moves_to(target: str) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": target,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
