"""A server is away for a while, or there and silent."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from faults import evidence
from faults.history import Disturbance
from faults.poster import Answer
from faults.probe import Probe
from faults.rig import until
from faults.round import Round

AWAY = 10.0  # seconds
DRAINED = 10.0  # seconds after which the outbox must be empty again (F4)
FREEZES = (5.0, 20.0)  # seconds: below and above what a heartbeat notices


async def broker(this: Round) -> None:
    """Every webhook is still answered 2xx, from the outbox, and the relay empties it."""
    for _ in range(this.trials):
        await this.breathe(0.5, 1.5)
        async with Probe(this) as probe:
            away = await this.take_away("rabbitmq", AWAY)
            kept = await evidence.outbox_rows(this.pool)
            drained = await _seconds_until_drained(this, unpublished=True)
            handled = await _seconds_until_drained(this, unpublished=False)
        during = probe.between(away.at, away.back)
        this.demand(bool(during) and all(answer.status == 200 for answer in during), f"RabbitMQ away: {_seen(during)}")
        _slowest(this, "slowest_2xx_s", during)
        for name, value in (("outbox_rows", kept), ("published_s", drained), ("handled_s", drained + handled)):
            this.figures[name] = max(this.figures.get(name, 0), value)
        this.demand(kept > 0, "the outbox took nothing while RabbitMQ was away")
        this.demand(drained <= DRAINED, f"the outbox was published only {drained:.1f} s after RabbitMQ was back")


async def postgres(this: Round) -> None:
    """The broker keeps what comes in, so webhooks are answered 2xx; the workers wait."""
    for _ in range(this.trials):
        await this.breathe(0.5, 1.5)
        async with Probe(this) as probe:
            away = await this.take_away("postgres", AWAY)
        during = probe.between(away.at, away.back)
        this.demand(
            bool(during) and all(answer.status == 200 for answer in during), f"PostgreSQL away: {_seen(during)}"
        )
        _slowest(this, "slowest_2xx_s", during)


async def both(this: Round) -> None:
    """Nothing can be kept: 503 with Retry-After, never 2xx; Telegram brings it again."""
    for _ in range(this.trials):
        await this.breathe(0.5, 1.5)
        async with Probe(this) as probe:
            start = time.time()
            await asyncio.gather(this.take_away("rabbitmq", AWAY), this.take_away("postgres", AWAY))
        # Between "both are gone" and "the first comes back": stopping takes a moment, and one may be back earlier.
        during = probe.between(start + 3.0, start + AWAY - 1.0)
        refused = [answer for answer in during if answer.status == 503]
        this.figures["refused_503"] = this.figures.get("refused_503", 0) + len(refused)
        this.demand(bool(during) and len(refused) == len(during), f"both away: {_seen(during)}")
        this.demand(all(answer.retry_after for answer in refused), "a 503 came without Retry-After")
        _slowest(this, "slowest_503_s", during)


async def frozen_broker(this: Round) -> None:
    """Its port is open and nobody is behind it: the time box ends each publish, and the outbox takes the job."""
    for nth in range(this.trials):
        await this.breathe(0.5, 1.5)
        async with Probe(this) as probe:
            made = await freeze(this, FREEZES[nth % len(FREEZES)])
        during = probe.between(made.at, made.back)
        this.demand(all(answer.status == 200 for answer in during), f"RabbitMQ frozen: {_seen(during)}")
        _slowest(this, "slowest_2xx_s", during)
        this.demand(max((answer.seconds for answer in during), default=0.0) <= 5.0, "a webhook took longer than 5 s")


async def freeze(this: Round, seconds: float) -> Disturbance:
    """SIGSTOP for every process of RabbitMQ, then SIGCONT."""
    server = this.rig.servers.rabbitmq
    pids = server.pids()

    async def stop() -> None:
        _signal(pids, signal.SIGSTOP)

    async def go_on() -> None:
        await asyncio.sleep(seconds)
        _signal(pids, signal.SIGCONT)

    return await this.disturb("rabbitmq", stop, go_on)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:  # one of the broker's short-lived helpers
            continue


async def _seconds_until_drained(this: Round, *, unpublished: bool) -> float:
    """From now, for the rows that are there now: people go on writing."""
    began, there = time.monotonic(), await evidence.now(this.pool)

    async def drained() -> bool:
        return await evidence.older_rows(this.pool, there, unpublished=unpublished) == 0

    await until(drained, 60, "the outbox is empty")
    return time.monotonic() - began


def _slowest(this: Round, name: str, answers: list[Answer]) -> None:
    this.figures[name] = max([this.figures.get(name, 0.0), *(answer.seconds for answer in answers)])


def _seen(answers: list[Answer]) -> str:
    counts = {status: sum(a.status == status for a in answers) for status in sorted({a.status for a in answers})}
    return f"answers by status {counts}"
