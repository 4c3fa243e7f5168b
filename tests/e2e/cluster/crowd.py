"""People who write to bots all the time, and the judgement of what became of it: the fault battery's own checker."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from types import TracebackType
from typing import Self

from faults import evidence
from faults.cast import Cast, introduce, new_person
from faults.checker import Verdict, check
from faults.history import Attempt, History, Update
from faults.writers import Writers

from .fleet import AWAY, HOOK, Fleet, patiently

# Updates a second over all; a person gives fewer commands a minute than MUSTER_COMMANDS_PER_MINUTE allows.
BOTS, PEOPLE, RATE = 2, 120, 8.0


@dataclass
class Crowd:
    """Writes while its block runs."""

    fleet: Fleet
    writers: Writers
    bots: list[int]
    since: datetime
    cast: Cast
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    tries: list[Attempt] = field(default_factory=list)  # every webhook request, once judged

    @classmethod
    async def gather(cls, fleet: Fleet) -> Self:
        """Two bots whose webhook is the mirror, and everybody's first message answered."""
        since, cast = await evidence.now(fleet.pool), replace(fleet.cast, bots=[], people=[])
        for _ in range(BOTS):
            bot = await introduce(cast, fleet.telegram, fleet.pool)
            await fleet.telegram.set_webhook(bot, HOOK, cast.secret(bot.bot_id))
            cast.bots.append(bot)
        for nth in range(PEOPLE):
            cast.people.append(await new_person(cast, fleet.telegram, cast.bots[nth % BOTS].bot_id))
        writers = Writers(fleet.telegram, cast, Random(7), rate=RATE)  # noqa: S311 (repeatable)
        found = cls(fleet, writers, [bot.bot_id for bot in cast.bots], since, cast)
        await writers.open_chats()
        await patiently(found.all_marked, within=60, what="everybody's first message is handled")
        return found

    async def all_marked(self) -> bool:
        """Every update has its row."""
        return await evidence.marks(self.fleet.pool, self.bots) >= len(self.writers.written)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.writers.run(self._stop))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task

    async def at_rest(self, *, within: float) -> None:
        """Nothing is on its way any more."""

        async def quiet() -> bool:
            with suppress(*AWAY):
                pending = sum([await self.fleet.telegram.pending(bot) for bot in self.bots])
                waiting = await evidence.unsettled(self.fleet.pool, self.bots)
                return not pending and not waiting and await self.all_marked()
            return False

        await patiently(quiet, within=within, what="every update is handled and every reply settled")

    async def judged(self) -> tuple[Verdict, Counter[int]]:
        """With how often each status was answered to a webhook request; 0 is none."""
        telegram, updates = self.fleet.telegram, list[Update]()
        attempts = {
            (bot, number): tries for bot in self.bots for number, tries in (await telegram.attempts(bot)).items()
        }
        updates = [replace(each, attempts=attempts.get(each.key, ())) for each in self.writers.written]
        sends = [send for bot in self.bots for send in await telegram.sends(bot)]
        rows = await evidence.gather(self.fleet.pool, self.bots, self.since)
        self.tries = [attempt for update in updates for attempt in update.attempts]
        statuses = Counter(attempt.status for attempt in self.tries)
        return check(History(updates, sends, rows)), statuses
