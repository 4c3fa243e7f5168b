"""The voice: one-to-one dialogues, fed from dm_queue."""

from __future__ import annotations

import asyncio

from common import runtime
from common.bus.consumer import first
from common.dbclock import DatabaseClock
from common.keys import KeyRing
from common.queues import DM_QUEUE
from common.registry import BotRegistry
from common.send_window import SendWindow
from common.telegram.client import BotApi
from common.telegram.floods import FloodMemory
from common.telegram.secrets import TokenVault

from dm.dispatcher import build_dispatcher
from dm.handlers import PrivateUpdates
from dm.settings import DmSettings
from dm.speaker import Speaker
from dm.texts import Texts
from dm.turns import Turns


async def main() -> None:
    """Until SIGTERM."""
    settings = DmSettings.load()
    async with runtime.worker("dm", settings) as worker:
        api = BotApi(settings.telegram_api_url, timeout=settings.telegram_timeout, pacer=FloodMemory())
        try:
            vault = TokenVault(KeyRing.from_base64(settings.encryption_keys.get_secret_value()))
            registry = BotRegistry(worker.pool, vault)
            clock = DatabaseClock(worker.pool)
            window = SendWindow(worker.pool, clock)
            speaker = Speaker(worker.pool, api, registry, Turns(worker.pool, window), worker.stop)
            dispatcher = build_dispatcher(commands_per_minute=settings.commands_per_minute)
            handle = PrivateUpdates(worker.pool, registry, dispatcher, speaker, Texts.load())
            async with asyncio.TaskGroup() as loops:
                loops.create_task(clock.run(worker.stop), name="clock")
                loops.create_task(window.run(worker.stop), name="window")
                await first(clock.ready, worker.stop)
                loops.create_task(worker.consume(DM_QUEUE, handle), name="consume")
        finally:
            await api.close()


if __name__ == "__main__":
    runtime.run(main())
