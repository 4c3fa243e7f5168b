"""People whose updates go straight into the outbox, as the ingress puts them there when the broker is away."""

from __future__ import annotations

import asyncio
import json
import time
from types import TracebackType
from typing import Self

from common.envelope import Envelope
from common.ids import BotId, update_job_id
from common.queues import DM_QUEUE
from common.store import outbox

from faults.cast import Person, add_bot, new_person
from faults.history import Attempt, Update
from faults.round import Round
from faults.telegram import SimulatedBot
from faults.writers import message

_EVERY = 0.05  # seconds
_KIND = "process_private_message"


class OutboxWriter:
    """Work for the relay, as long as the context lasts; a committed row counts as a 2xx."""

    def __init__(self, this: Round) -> None:
        self._this = this
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._update_id = 1_000_000

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

    async def _write(self, bot: SimulatedBot) -> None:
        while not self._stop.is_set():
            person = await new_person(self._this.cast, self._this.telegram, bot.bot_id)
            await self._this.telegram.write(bot.bot_id, person.user["id"], "/start")  # opens the chat
            await self._put(person)
            await asyncio.sleep(_EVERY)

    async def _put(self, person: Person) -> None:
        this = self._this
        self._update_id += 1
        number, user_id, bot_id = this.cast.numbers.next(), person.user["id"], BotId(person.bot_id)
        update = {"update_id": self._update_id, "message": message(person, number, "start")}
        fields = {"kind": _KIND, "bot_id": bot_id, "update_id": self._update_id, "user_id": user_id, "update": update}
        job_id = update_job_id(bot_id, self._update_id)
        job = Envelope(DM_QUEUE.name, json.dumps(fields).encode(), _KIND, job_id)
        at = time.time()
        async with this.pool.transaction("put into the outbox") as tx:
            await outbox.add(tx, job, order=(f"{bot_id}:{user_id}", self._update_id))
        attempts = (Attempt(at, 200),)
        this.writers.written.append(Update(bot_id, self._update_id, user_id, number, "start", attempts))
