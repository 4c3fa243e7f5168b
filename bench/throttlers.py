"""Who takes part in the pacing bench: Muster, and libraries that throttle inside the bot's own process.

python-telegram-bot's limiter is measured with its own Bot, as its users run it: aiogram has no limiter, and this one is
no part of it.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

from bench import npm
from bench.broadcasters import Broadcasters
from bench.stage import ROOT, Stage, progress
from bench.usage import cpu_seconds

GRAMMY = ("grammy@1.46.0", "@grammyjs/transformer-throttler@1.2.1", "@grammyjs/auto-retry@2.0.2")
MUSTER = "muster"
PEERS = ("ptb", "ptb_tuned", "grammy", "grammy_tuned")
_PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Errand:
    """What each bot sends, and to which of its chats."""

    warm: slice  # once, before what is measured
    to: slice
    each: int = 1


class Contender(ABC):
    """Ready to send."""

    def __init__(self, fleet: Broadcasters, errand: Errand) -> None:
        self.fleet = fleet
        self.errand = errand

    @abstractmethod
    async def warm_up(self) -> None:
        """So that connections are open and round trips known."""

    @abstractmethod
    async def send(self) -> None:
        """Returns when all is sent."""

    @abstractmethod
    def cpu(self) -> dict[str, float]:
        """Seconds so far, by part."""


class Muster(Contender):
    """A broadcast to all groups, or as many as each group shall have."""

    async def warm_up(self) -> None:
        """The same way."""
        await self._broadcast(self.errand.warm, 1)

    async def send(self) -> None:
        """Its own database knows."""
        await self._broadcast(self.errand.to, self.errand.each)

    def cpu(self) -> dict[str, float]:
        """Each process that takes part."""
        return self.fleet.cpu()

    async def _broadcast(self, which: slice, each: int) -> None:
        groups = [group for found in self.fleet.groups.values() for group in found[which]]
        for number in [await self.fleet.broadcast(groups) for _ in range(each)]:
            await self.fleet.done(number, within=3600)


class Peer(Contender):
    """One process for all bots, told by a line of JSON; it has as much of the machine as it can use."""

    def __init__(self, fleet: Broadcasters, errand: Errand, process: Process) -> None:
        super().__init__(fleet, errand)
        self._process = process

    async def warm_up(self) -> None:
        """It says when it is."""
        chats = {
            self.fleet.tokens[bot]: {"warm": found[self.errand.warm], "chats": found[self.errand.to]}
            for bot, found in self.fleet.chats.items()
        }
        await self._ask(json.dumps({"url": self.fleet.telegram, "each": self.errand.each, "bots": chats}), "warm")

    async def send(self) -> None:
        """It says so, and stays until it has been looked at."""
        await self._ask("go", "sent")

    def cpu(self) -> dict[str, float]:
        """Itself and the simulated Telegram."""
        return {"peer": cpu_seconds([self._process.pid]), "telegram": self.fleet.cpu()["telegram"]}

    async def _ask(self, line: str, answer: str) -> None:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the peer was started without pipes")
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()
        if await self._process.stdout.readline() != answer.encode() + b"\n":
            raise StackError(f"the peer ended before it had {answer}")


@asynccontextmanager
async def contender(this: Stage, fleet: Broadcasters, errand: Errand, who: str) -> AsyncIterator[Contender]:
    """Ended with the block, wherever it is."""
    if who == MUSTER:
        yield Muster(fleet, errand)
        return
    words, environment = _peer(this, who)
    process = await asyncio.create_subprocess_exec(
        *words, stdin=PIPE, stdout=PIPE, env=this.environment | environment, cwd=ROOT, limit=1 << 20
    )
    try:
        yield Peer(fleet, errand, process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def available(names: list[str]) -> list[str]:
    """Without node the others go on, and it is said."""
    if any(name.startswith("grammy") for name in names) and npm.modules("grammy", *GRAMMY) is None:
        progress("SKIPPED: grammY. It needs node and npm.")
        return [name for name in names if not name.startswith("grammy")]
    return names


def _peer(this: Stage, who: str) -> tuple[list[str], Mapping[str, str]]:
    name, _, kind = who.partition("_")
    if name == "ptb":
        return this.python("bench.peers.ptb_limiter", kind or "default"), {}
    modules = npm.modules("grammy", *GRAMMY)
    words = ["node", str(_PEERS / "grammy_throttler.cjs"), kind or "default"]
    return words, {"NODE_PATH": str(modules), "NODE_ENV": "production"}
