"""One more user, whose updates the battery brings itself: it sees each answer's status, Retry-After and time."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Self

from faults.cast import Person, add_bot, new_person
from faults.history import Update
from faults.poster import Answer
from faults.round import Round
from faults.telegram import SimulatedBot
from faults.writers import message

_EVERY = 0.2  # seconds between new updates
_AGAIN = 0.3  # seconds after which a refused one is brought again
_PATIENCE = 120.0  # seconds


class Probe:
    """Writes /start with a number at a steady pace and insists on each as Telegram does; it is part of the history."""

    def __init__(self, this: Round) -> None:
        self._this = this
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._asking: list[asyncio.Task[None]] = []
        self._update_id = 1_000_000
        self.answers: list[Answer] = []

    def between(self, start: float, end: float) -> list[Answer]:
        """To requests that began in that time."""
        return [answer for answer in self.answers if start <= answer.at <= end]

    async def __aenter__(self) -> Self:
        bot = await add_bot(self._this.cast, self._this.telegram, self._this.pool, None)
        self._task = asyncio.create_task(self._write(bot))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task
        await asyncio.gather(*self._asking)

    async def _write(self, bot: SimulatedBot) -> None:
        this = self._this
        while not self._stop.is_set():
            # A new person each time: what was refused may then be overtaken without changing anybody's order.
            person = await new_person(this.cast, this.telegram, bot.bot_id)
            await this.telegram.write(bot.bot_id, person.user["id"], "/start")  # opens the chat; no webhook is set
            self._asking.append(asyncio.create_task(self._insist(person)))
            await asyncio.sleep(_EVERY)

    async def _insist(self, person: Person) -> None:
        this = self._this
        self._update_id += 1
        update_id, number = self._update_id, this.cast.numbers.next()
        body = json.dumps({"update_id": update_id, "message": message(person, number, "start")}).encode()
        answers = await this.poster.insist(
            this.rig.url("ingress-1"), this.cast.secret(person.bot_id), body, pause=_AGAIN, patience=_PATIENCE
        )
        self.answers += answers
        attempts = tuple(answer.attempt for answer in answers)
        this.writers.written.append(Update(person.bot_id, update_id, person.user["id"], number, "start", attempts))
