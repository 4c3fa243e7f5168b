"""The same update again and again, at once, at three ingress processes."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import replace

from faults.cast import Person, add_bot, new_person
from faults.history import Attempt, Update
from faults.round import Round
from faults.writers import STEPS, message

COPIES = 20
AT_ONCE = 60  # requests in flight
PEOPLE = 50
DOORS = ("ingress-1", "ingress-2", "ingress-3")


async def flood(this: Round) -> None:
    """`trials` requests in all: of each update most copies come at once, the rest when everything is long handled."""
    await this.rig.start(*DOORS[1:])
    bot = await add_bot(this.cast, this.telegram, this.pool, None)
    people = [await new_person(this.cast, this.telegram, bot.bot_id) for _ in range(PEOPLE)]
    for person in people:
        await this.telegram.write(bot.bot_id, person.user["id"], "/start")  # opens the chat; no webhook is set
    sender = _Sender(this, this.cast.secret(bot.bot_id))
    bodies: dict[int, bytes] = {}
    # A person's next update goes out when the one before has its 2xx, as Telegram does it.
    while len(bodies) < this.trials // COPIES:
        wave = [_next(this, person, len(bodies) + nth + 1) for nth, person in enumerate(people)]
        bodies |= {update.update_id: body for update, body in wave}
        await sender.send([(update.update_id, body) for update, body in wave for _ in range(COPIES - 2)])
        this.writers.written += [
            replace(update, attempts=tuple(sender.attempts[update.update_id])) for update, _ in wave
        ]
    await sender.send([(update_id, body) for update_id, body in bodies.items() for _ in range(2)])
    wrong = sum(attempt.status != 200 for attempts in sender.attempts.values() for attempt in attempts)
    this.figures |= {"posts": sum(map(len, sender.attempts.values())), "distinct": len(bodies), "not_200": wrong}
    this.demand(wrong == 0, f"{wrong} duplicates were not answered 200")
    await this.rig.stop(*DOORS[1:])


class _Sender:
    def __init__(self, this: Round, secret: str) -> None:
        self._this = this
        self._secret = secret
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.attempts: dict[int, list[Attempt]] = defaultdict(list)

    async def send(self, posts: list[tuple[int, bytes]]) -> None:
        self._this.rng.shuffle(posts)
        await asyncio.gather(*(self._one(update_id, body) for update_id, body in posts))

    async def _one(self, update_id: int, body: bytes) -> None:
        door = self._this.rig.url(self._this.rng.choice(DOORS))
        async with self._slots:
            answer = await self._this.poster.post(door, self._secret, body)
        self.attempts[update_id].append(answer.attempt)


def _next(this: Round, person: Person, update_id: int) -> tuple[Update, bytes]:
    number, kind = this.cast.numbers.next(), STEPS[person.step % len(STEPS)]
    person.step += 1
    body = json.dumps({"update_id": update_id, "message": message(person, number, kind)}).encode()
    return Update(person.bot_id, update_id, person.user["id"], number, kind), body
