"""The brain: consumes tgms_queue and runs the loops of the leader."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from common import runtime
from common.keys import KeyRing
from common.queues import TGMS_QUEUE
from common.telegram.client import BotApi
from common.telegram.floods import FloodMemory
from common.telegram.secrets import SigningVault, TokenVault

from tgms import burials, housekeeping
from tgms.census import CensusTaker
from tgms.handlers import Updates
from tgms.health import HealthWatch
from tgms.hooks import Hooks
from tgms.leader import Leader
from tgms.outbound import Outbound
from tgms.pacer import Pacer
from tgms.reaper import Reaper
from tgms.relay import Relay
from tgms.revisions import Revisions
from tgms.schedules import Schedules
from tgms.settings import TgmsSettings
from tgms.strays import Strays


async def main() -> None:
    """Until SIGTERM."""
    settings = TgmsSettings.load()
    async with runtime.worker("tgms", settings) as worker:
        leader = Leader(worker.pool, ttl=settings.lease_ttl)
        relay = Relay(worker.pool, worker.publisher, leader, interval=settings.relay_interval)
        outbound = Outbound()
        api = BotApi(settings.telegram_api_url, timeout=settings.telegram_timeout, pacer=FloodMemory())
        signing = SigningVault(KeyRing.from_hex(settings.webhook_keys.get_secret_value()))
        tokens = TokenVault(KeyRing.from_base64(settings.encryption_keys.get_secret_value()))
        async with contextlib.AsyncExitStack() as doors, asyncio.TaskGroup() as loops:
            doors.push_async_callback(outbound.aclose)
            doors.push_async_callback(api.close)
            loops.create_task(worker.consume(TGMS_QUEUE, Updates(worker.pool)), name="consume")
            loops.create_task(leader.run(worker.stop), name="leader")
            loops.create_task(relay.run(worker.stop), name="relay")
            loops.create_task(Pacer(worker.pool, worker.publisher, leader).run(worker.stop), name="pacer")
            loops.create_task(Reaper(worker.pool, worker.publisher, leader).run(worker.stop), name="reaper")
            loops.create_task(Strays(worker.pool, leader).run(worker.stop), name="strays")
            loops.create_task(Revisions(worker.pool, leader).run(worker.stop), name="revisions")
            loops.create_task(Schedules(worker.pool, leader).run(worker.stop), name="schedules")
            loops.create_task(Hooks(worker.pool, leader, signing, outbound).run(worker.stop), name="hooks")
            loops.create_task(CensusTaker(worker.pool, leader).run(worker.stop), name="census")
            loops.create_task(HealthWatch(worker.pool, leader, api, tokens).run(worker.stop), name="health")
            loops.create_task(burials.run(worker), name="burials")
            loops.create_task(
                housekeeping.run(worker.stop, worker.pool, leader, keep=timedelta(days=settings.inbox_days)),
                name="housekeeping",
            )


if __name__ == "__main__":
    runtime.run(main())
