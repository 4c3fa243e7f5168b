"""A broadcast to all groups is planned and not yet sent: the seconds, and the senders' memory meanwhile."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from common.store import broadcasts
from common.store.broadcasts import Targets

from bench.broadcasters import Broadcasters
from bench.usage import memory


@dataclass(frozen=True)
class Planned:
    """A broadcast that was planned; memory as RSS in MiB, of the sender that grew most."""

    broadcast_id: int
    deliveries: int
    seconds: float
    before: float
    most: float


async def plan_paused(fleet: Broadcasters) -> Planned:
    """Paused first, so that nothing of it is sent before it is resumed."""
    senders = fleet.pids["sender"]
    before = most = [memory(pid).rss for pid in senders]
    async with fleet.pool.transaction("bench") as tx:
        content = {"method": "sendMessage", "params": {"text": "We meet at noon."}}
        number = await broadcasts.create(tx, Targets(all_groups=True), content)
        await broadcasts.pause(tx, number, "only planned")
    begun = time.monotonic()
    await fleet.plan(number)
    while True:
        async with fleet.pool.transaction("bench") as tx:
            found = await broadcasts.get(tx, number)
        most = [max(pair) for pair in zip(most, (memory(pid).rss for pid in senders), strict=True)]
        if found is not None and found.planned:
            grown = max(range(len(senders)), key=lambda n: most[n] - before[n])
            return Planned(number, found.total, time.monotonic() - begun, before[grown], most[grown])
        await asyncio.sleep(0.05)
