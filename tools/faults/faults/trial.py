"""One fault from its first user to its verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

import aiohttp
from aio_pika.exceptions import AMQPError
from common.errors import StoreUnavailable
from common.store.pool import Pool

from faults import broker, evidence
from faults.cast import hire
from faults.checker import check
from faults.fault import Fault
from faults.history import History, Send, Update
from faults.poster import PATH, Poster
from faults.report import Outcome
from faults.rig import TELEGRAM, TIME_SCALE, Rig, rates, until
from faults.round import Round
from faults.telegram import Telegram
from faults.writers import Writers

_SETTLING = 45.0  # seconds without any progress after which what is missing counts as lost
_WEBHOOK_TIMEOUT = 10.0  # real seconds that the simulated Telegram waits for an answer


async def try_fault(rig: Rig, fault: Fault, *, trials: int, seed: int, say: Callable[[str], None]) -> Outcome:
    """People write, the fault is tried, everything comes to rest, the history is judged."""
    began = time.monotonic()
    pool = Pool(rig.servers.database_url, name="muster-faults", max_size=2, timeout=10)
    try:
        this = await _prepare(rig, fault, pool, trials=trials, seed=seed, say=say)
        await _under_load(this, fault)
        await _rest(this)
        for judge in this.afterwards:
            await judge()
        history = await _history(this)
    finally:
        await pool.close()
    verdict = check(history, dead_letters=this.dead_letters, ordered=fault.ordered)
    figures = rates(this.figures)
    return Outcome(fault.name, fault.ids, trials, time.monotonic() - began, verdict, figures, this.broken)


async def _prepare(rig: Rig, fault: Fault, pool: Pool, *, trials: int, seed: int, say: Callable[[str], None]) -> Round:
    telegram, rng = Telegram(rig.url(TELEGRAM), rig.http), Random(f"{seed}:{fault.name}")  # noqa: S311 (repeatable)
    await telegram.set_clock(webhook_timeout=_WEBHOOK_TIMEOUT * TIME_SCALE)
    since = await evidence.now(pool)
    hook = rig.url("ingress-1") + PATH
    cast = await hire(telegram, pool, rig.secrets, hook, bots_=fault.bots, people=fault.people)
    writers = Writers(telegram, cast, rng, rate=fault.rate)
    return Round(rig, telegram, cast, pool, writers, Poster(rig.http), rng, trials, since, say)


async def _under_load(this: Round, fault: Fault) -> None:
    await this.writers.open_chats()
    bots = [bot.bot_id for bot in this.cast.bots]

    async def everybody_known() -> bool:
        return await evidence.marks(this.pool, bots) >= fault.people

    await until(everybody_known, 60, "everybody's first message is handled")
    stop = asyncio.Event()
    writing = asyncio.create_task(this.writers.run(stop))
    breaking = asyncio.create_task(_break(this, fault))
    try:
        await asyncio.wait((writing, breaking), return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await asyncio.gather(writing, breaking)
    finally:
        writing.cancel()
        breaking.cancel()


async def _break(this: Round, fault: Fault) -> None:
    await this.breathe(1, 2)
    await fault.run(this)
    await this.breathe(1, 2)  # whoever came back shows that it works


async def _rest(this: Round) -> None:
    """Waits until nothing is on its way; what never comes is left to the checker."""
    last, changed = (-1, -1), time.monotonic()
    while time.monotonic() - changed < _SETTLING:
        try:
            progress = await _progress(this)
        except (StoreUnavailable, AMQPError, aiohttp.ClientError, OSError, TimeoutError):
            progress = last
        if progress is None:
            return
        if progress != last:
            last, changed = progress, time.monotonic()
        await asyncio.sleep(0.1)
    this.broken.append(f"nothing moved for {_SETTLING:.0f} s and still something was on its way")


async def _progress(this: Round) -> tuple[int, int] | None:
    """None when all is quiet; otherwise numbers that change while something happens."""
    bots = [bot.bot_id for bot in this.cast.bots]
    pending = sum([await this.telegram.pending(bot) for bot in this.cast.hooked])
    marks = await evidence.marks(this.pool, bots)
    waiting = await evidence.unsettled(this.pool, bots) + await evidence.outbox_rows(this.pool)
    queued = sum((await broker.depths(this.rig.servers.amqp_url)).values()) + await this.rig.in_flight()
    if not pending and not waiting and not queued and marks >= len(this.writers.written):
        return None
    return marks + queued, await this.telegram.last_effect()


async def _history(this: Round) -> History:
    bots = [bot.bot_id for bot in this.cast.bots]
    queued = sum((await broker.depths(this.rig.servers.amqp_url)).values()) + await this.rig.in_flight()
    rows = await evidence.gather(this.pool, bots, this.since)
    updates: list[Update] = []
    sends: list[Send] = []
    for bot in bots:
        attempts = await this.telegram.attempts(bot)
        sends += await this.telegram.sends(bot)
        updates += [
            update if update.attempts else replace(update, attempts=attempts.get(update.update_id, ()))
            for update in this.writers.written
            if update.bot_id == bot
        ]
    return History(updates, sends, rows, this.disturbances, queued, frozenset(this.others))
