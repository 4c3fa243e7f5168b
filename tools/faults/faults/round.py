"""What a fault is given while people write: processes to break, a record of what was broken, a place for demands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from common.store.pool import Pool

from faults.cast import Cast
from faults.history import Disturbance, UpdateKey
from faults.poster import Poster
from faults.rig import Rig
from faults.telegram import Telegram
from faults.writers import Writers

Step = Callable[[], Awaitable[object]]


@dataclass
class Round:
    """One fault's run."""

    rig: Rig
    telegram: Telegram
    cast: Cast
    pool: Pool
    writers: Writers
    poster: Poster
    rng: Random
    trials: int
    since: datetime  # by the database's clock
    say: Callable[[str], None]
    disturbances: list[Disturbance] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    dead_letters: int = 0  # that the fault asks for
    afterwards: list[Step] = field(default_factory=list)  # what can be judged only when all has come to rest
    others: set[UpdateKey] = field(default_factory=set)  # inbox rows that are no user's words

    async def breathe(self, low: float, high: float) -> None:
        """Lets people write for a random while, in seconds."""
        await asyncio.sleep(self.rng.uniform(low, high))

    def demand(self, holds: bool, text: str) -> None:  # noqa: FBT001 (reads as a sentence)
        """What this fault promises beside the promises that hold for all."""
        if not holds:
            self.broken.append(text)

    async def disturb(self, target: str, breaks: Step, mends: Step, *, may_double: int | None = None) -> Disturbance:
        """Breaks something and mends it; the disturbance ends when `mends` returns, for then its port answers."""
        doubles = self.rig.doubles() if may_double is None else may_double
        at = time.time()
        await breaks()
        await mends()
        made = Disturbance(target, at, time.time(), doubles)
        self.disturbances.append(made)
        self.say(f"  {target} broken for {made.back - made.at:.1f} s")
        return made

    async def crash(self, name: str, *, may_double: int | None = None) -> Disturbance:
        """kill -9 of one process, which is started again at once."""

        async def restart() -> None:
            await self.rig.launch(name)
            await self.rig.answers(name)

        return await self.disturb(name, lambda: self.rig.kill(name), restart, may_double=may_double)

    async def crash_server(self, name: str) -> Disturbance:
        """kill -9 of PostgreSQL (`postgres`) or RabbitMQ (`rabbitmq`) with everything below it, and its start."""
        server = getattr(self.rig.servers, name)
        return await self.disturb(name, lambda: asyncio.to_thread(server.kill), lambda: asyncio.to_thread(server.start))

    async def take_away(self, name: str, seconds: float) -> Disturbance:
        """An orderly stop of a server and its start after that time."""
        server = getattr(self.rig.servers, name)

        async def later() -> None:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(server.start)

        return await self.disturb(name, lambda: asyncio.to_thread(server.stop), later)
