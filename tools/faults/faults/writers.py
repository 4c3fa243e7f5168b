"""People who write: each goes through /start, /feedback and the feedback's text over and over, numbered each time."""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import Any

from faults.attribution import number_in, numbered
from faults.cast import Cast, Person, shuffled
from faults.history import Kind, Update
from faults.telegram import Telegram

STEPS: tuple[Kind, ...] = ("start", "ask", "tell")


class Writers:
    """Writes at a steady rate, whatever becomes of it: as people do."""

    def __init__(self, telegram: Telegram, cast: Cast, rng: Random, *, rate: float) -> None:
        self._telegram = telegram
        self._cast = cast
        self._rng = rng
        self._rate = rate  # updates a second over all people
        self.written: list[Update] = []

    async def open_chats(self) -> None:
        """Everybody's first /start: a bot may not write to who never wrote to it."""
        for person in self._cast.people:
            update_id = await self._telegram.write(person.bot_id, person.user["id"], "/start")
            number = number_in(person.user["first_name"]) or 0
            self.written.append(Update(person.bot_id, update_id, person.user["id"], number, "start"))
            person.step = 1

    async def run(self, stop: asyncio.Event) -> None:
        """Until the stop; a person's conversation is finished in a later run or never."""
        begun, count = time.monotonic(), 0
        while not stop.is_set():
            for person in shuffled(self._cast.people, self._rng):
                if stop.is_set():
                    return
                await self._write(person)
                count += 1
                await asyncio.sleep(max(0.0, begun + count / self._rate - time.monotonic()))

    async def _write(self, person: Person) -> None:
        number = self._cast.numbers.next()
        kind = STEPS[person.step % len(STEPS)]
        person.step += 1
        update_id = await self._telegram.inject(person.bot_id, {"message": message(person, number, kind)})
        self.written.append(Update(person.bot_id, update_id, person.user["id"], number, kind))


def message(person: Person, number: int, kind: Kind) -> dict[str, Any]:
    """A private message as Telegram shows it: the number is the writer's name, or what they write."""
    person.messages += 1
    word = numbered(number)
    text = {"start": "/start", "ask": "/feedback", "tell": word}[kind]
    user = person.user | {"first_name": word}
    entities = {"entities": [{"type": "bot_command", "offset": 0, "length": len(text)}]} if text[0] == "/" else {}
    return {
        "message_id": 1_000_000 + person.messages,
        "from": user,
        "chat": {"id": user["id"], "type": "private", "first_name": word},
        "date": int(time.time()),
        "text": text,
        **entities,
    }
