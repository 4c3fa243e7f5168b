"""A plain connection of aio-pika's, where speed is nothing, and one word for every way in which it says it is gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError

from common.bus.connection import HEARTBEAT, STEP
from common.errors import BrokerUnavailable
from common.telemetry.redact import describe


@dataclass(frozen=True)
class Session:
    """Held strongly, for aio-pika holds channels weakly (reliability A9)."""

    connection: AbstractConnection
    channel: AbstractChannel


@contextlib.asynccontextmanager
async def session(url: str) -> AsyncIterator[Session]:
    """Open while the block runs; not connect_robust, which is known to hang (reliability A7)."""
    connection = await aio_pika.connect(url, timeout=STEP, heartbeat=HEARTBEAT)
    try:
        async with asyncio.timeout(STEP):
            channel = await connection.channel()
        yield Session(connection, channel)
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
