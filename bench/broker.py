"""What is in a queue: the broker's own count, which no publisher can embellish."""

from __future__ import annotations

import asyncio
import time

import aio_pika

_SETTLED = 0.3  # seconds without a change: then nothing is on its way any more
_LIMIT = 20.0  # seconds


async def take_all(url: str, queue: str) -> int:
    """How many messages there were; the queue is empty afterwards."""
    # A plain connection: robust channels are known to repeat the first count of a passive declare.
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        count, since, end = -1, time.monotonic(), time.monotonic() + _LIMIT
        while time.monotonic() - since < _SETTLED and time.monotonic() < end:
            declared = await channel.declare_queue(queue, passive=True)
            found = declared.declaration_result.message_count or 0
            if found != count:
                count, since = found, time.monotonic()
            await asyncio.sleep(0.05)
        await declared.purge()
        return count


async def version(url: str) -> str:
    """As the broker says it."""
    async with await aio_pika.connect(url) as connection:
        transport = connection.transport
        properties = getattr(getattr(transport, "connection", None), "server_properties", {}) or {}
    found = properties.get("version", "?")
    return found.decode() if isinstance(found, bytes) else str(found)
