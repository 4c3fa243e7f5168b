"""The broker's side of a run: how much is queued, and raw messages of the sort that no publisher of ours writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aio_pika
from common.queues import all_names


@dataclass(frozen=True)
class RawMessage:
    """Any bytes with any headers."""

    body: bytes
    headers: Mapping[str, Any]
    kind: str | None = None
    message_id: str | None = None


async def depths(url: str) -> dict[str, int]:
    """Ready messages of every queue that holds some. A plain connection: a robust one returned stale counts."""
    connection = await aio_pika.connect(url, timeout=5)
    async with connection:
        channel = await connection.channel()
        found = {}
        for name in all_names():
            declared = await channel.declare_queue(name, passive=True)
            found[name] = declared.declaration_result.message_count or 0
    return {name: count for name, count in found.items() if count}


async def publish(url: str, queue: str, messages: list[RawMessage]) -> None:
    """Confirmed, straight into a queue."""
    connection = await aio_pika.connect(url, timeout=5)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        for each in messages:
            message = aio_pika.Message(
                each.body, headers=dict(each.headers), type=each.kind, message_id=each.message_id,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )  # fmt: skip
            await channel.default_exchange.publish(message, queue)
