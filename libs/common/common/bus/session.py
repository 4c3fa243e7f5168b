"""A plain connection for consuming, and one word for every way in which aio-pika says that it is gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError

from common.bus.connection import HEARTBEAT
from common.errors import BrokerUnavailable
from common.telemetry.redact import describe

STEP = 5.0  # seconds for one answer of the broker


@dataclass(frozen=True)
class Session:
    """Held strongly, for aio-pika holds channels weakly (reliability A9); `lost` is set when either ends."""

    connection: AbstractConnection
    channel: AbstractChannel
    lost: asyncio.Event


@contextlib.asynccontextmanager
async def session(url: str, *, prefetch: int) -> AsyncIterator[Session]:
    """Open while the block runs; not connect_robust, which is known to hang (reliability A7)."""
    connection = await aio_pika.connect(url, timeout=STEP, heartbeat=HEARTBEAT)
    lost = asyncio.Event()
    connection.close_callbacks.add(lambda *_: lost.set())
    try:
        async with asyncio.timeout(STEP):
            channel = await connection.channel()
            channel.close_callbacks.add(lambda *_: lost.set())
            await channel.set_qos(prefetch_count=prefetch)
        yield Session(connection, channel, lost)
    finally:
        with contextlib.suppress(BrokerUnavailable), losses_named():
            async with asyncio.timeout(STEP):
                await connection.close()


@contextlib.contextmanager
def losses_named() -> Iterator[None]:
    """BrokerUnavailable for whatever a lost connection raises."""
    try:
        yield
    except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
        raise BrokerUnavailable(f"the broker ended it or can't be reached ({describe(error)})") from None
    except asyncio.CancelledError:
        # When a heartbeat fails, aiormq cancels whoever waits for an answer, though nobody cancelled the task (A2).
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BrokerUnavailable("the connection was lost (silent)") from None
