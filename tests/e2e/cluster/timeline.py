"""What a broadcast looks like from outside, second by second: what waits, what is queued, who works, what is sent."""

from __future__ import annotations

import asyncio
import csv
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aio_pika.exceptions import AMQPError
from faults import broker, evidence

from .fleet import AWAY, Fleet

QUEUE: Final = "group_message_queue"
PER_BOT: Final = 30  # messages a second that Telegram lets a bot send


@dataclass(frozen=True)
class Moment:
    """One second."""

    second: float  # since the broadcast was asked for
    waiting: int  # deliveries that have not ended, in PostgreSQL
    ready: int  # messages that no sender has taken yet, in RabbitMQ
    wanted: int  # sender pods
    working: int  # of them ready
    sent: int  # messages that Telegram took in this second
    ceiling: int  # messages that it would take of the bots with work

    @property
    def share(self) -> float:
        """Of the ceiling."""
        return self.sent / self.ceiling if self.ceiling else 0.0


class Timeline:
    """Looks once a second while its block runs; what was sent comes from the simulator's log afterwards."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._task: asyncio.Task[None] | None = None
        self._seen: list[Moment] = []
        self.began = time.time()

    async def __aenter__(self) -> Self:
        self.began = time.time()
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def moments(self) -> list[Moment]:
        """With what was sent between each look and the one before."""
        times = [each.at - self.began for each in await self._fleet.arrivals() if each.delivered]
        found, before = [], 0.0
        for moment in self._seen:
            sent = sum(before <= at < moment.second for at in times)
            seconds = max(moment.second - before, 0.001)
            found.append(Moment(**asdict(moment) | {"sent": round(sent / seconds)}))
            before = moment.second
        return found

    async def _watch(self) -> None:
        amqp = self._fleet.site.dsn("AMQP_URL", "rabbitmq")
        while True:
            began = time.monotonic()
            with suppress(*AWAY, AMQPError):  # a look that fails is one that is missing
                await self._look(amqp)
            await asyncio.sleep(max(0.0, 1 - (time.monotonic() - began)))

    async def _look(self, amqp: str) -> None:
        site, fleet = self._fleet.site, self._fleet
        wanted, working = await asyncio.to_thread(site.cluster.replicas, "sender")
        waiting: Counter[int] = await evidence.open_deliveries(fleet.pool, list(fleet.chats))
        ready = (await broker.depths(amqp)).get(QUEUE, 0)
        ceiling = PER_BOT * sum(count > 0 for count in waiting.values())
        second = round(time.time() - self.began, 2)
        self._seen.append(Moment(second, waiting.total(), ready, wanted, working, 0, ceiling))


def save(moments: list[Moment], file: Path) -> None:
    """As CSV, with the share beside."""
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow([*(field.name for field in fields(Moment)), "share"])
        rows.writerows([*asdict(each).values(), f"{each.share:.2f}"] for each in moments)
