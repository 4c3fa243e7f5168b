"""The hands: consumes group_message_queue."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid

from common import runtime
from common.bus.consumer import first
from common.dbclock import DatabaseClock
from common.keys import KeyRing
from common.queues import GROUP_MESSAGE_QUEUE
from common.registry import BotRegistry
from common.send_window import SendWindow
from common.telegram.client import BotApi
from common.telegram.floods import FloodMemory
from common.telegram.secrets import TokenVault

from sender import heartbeat
from sender.handlers import Deliveries
from sender.heartbeat import Life
from sender.ledger import Ledger
from sender.media import MediaDesk
from sender.settings import SenderSettings


async def main() -> None:
    """Until SIGTERM."""
    settings = SenderSettings.load()
    async with runtime.worker("sender", settings) as worker:
        api = BotApi(settings.telegram_api_url, timeout=settings.telegram_timeout, pacer=FloodMemory())
        registry = BotRegistry(
            worker.pool, TokenVault(KeyRing.from_base64(settings.encryption_keys.get_secret_value()))
        )
        clock = DatabaseClock(worker.pool)
        drained = asyncio.Event()
        life = Life(f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}", worker.stop)
        desk = MediaDesk(worker.pool, life.owner, timeout=settings.telegram_timeout)
        window = SendWindow(worker.pool, clock)
        handle = Deliveries(worker.pool, api, registry, window, Ledger(worker.pool, clock, life), desk)
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(heartbeat.run(drained, worker.pool, life), name="heartbeat")
                loops.create_task(clock.run(worker.stop), name="clock")
                loops.create_task(window.run(worker.stop), name="window")
                await first(clock.ready, worker.stop)
                await first(life.begun, worker.stop)
                loops.create_task(_consume(worker, handle, drained), name="consume")
        finally:
            await api.close()


async def _consume(worker: runtime.Worker, handle: Deliveries, drained: asyncio.Event) -> None:
    """`drained` when what was in flight at the stop is settled: until then the process lives, and says so."""
    try:
        await worker.consume(GROUP_MESSAGE_QUEUE, handle)
    finally:
        drained.set()


if __name__ == "__main__":
    runtime.run(main())
