"""Sends a second of one sender, ledger included, beside a bare aiohttp loop and aiogram; the speed of planning."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Mapping, Sequence
from datetime import timedelta

from common.ids import BotId, JobId
from common.jobs import SendFinalMessage
from common.queues import GROUP_MESSAGE_QUEUE
from common.store import broadcasts, deliveries, in_hand
from common.store.broadcasts import Targets

from bench import broker, extrapolated, report
from bench.broadcasters import Broadcasters, Shape, bring_up
from bench.cores import Cores
from bench.extrapolated import Slice
from bench.planning import Planned, plan_paused
from bench.stage import ROOT, Stage, progress, stage
from bench.usage import cpu_seconds

_PACKAGES = ("aiohttp", "aiogram", "aio-pika", "asyncpg", "uvloop")
_AIM = 0.8  # of the bare loop
_PLAN_AIM = 10.0  # seconds for 100,000
_CONCURRENCY = 100
MUSTER, BARE, AIOGRAM = "muster", "bare_aiohttp", "aiogram"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run's length."""
    parser.add_argument("--sends", type=int, default=4000, help="of each in a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="0: no race (%(default)s)")
    parser.add_argument("--plan", type=int, nargs="*", default=[100_000], help="groups of a broadcast (%(default)s)")
    extrapolated.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """0 when all that was to be sent was sent."""
    about = report.machine(_PACKAGES)
    with stage(Cores.share_out()) as this:
        about |= {"rabbitmq": asyncio.run(broker.version(this.servers.amqp_url)), "placed": str(this.cores)}
        rates, cpu = asyncio.run(_race(this, options))
        plans = [asyncio.run(_plan(this, count)) for count in options.plan]
        whole = asyncio.run(extrapolated.measure(this, options)) if options.broadcast else None
    return _tell(rates, cpu, plans, whole, about)


async def _race(this: Stage, options: argparse.Namespace) -> tuple[dict[str, list[float]], Mapping[str, float]]:
    # No brain: it would take the slots back from jobs that wait for the sender's start.
    shape = Shape(1, 0, options.sends, limits="off", latency="0-0", brains=0)
    rates: dict[str, list[float]] = {MUSTER: [], BARE: [], AIOGRAM: []}
    used: dict[str, float] = {}
    if not options.rounds:
        return rates, used
    async with bring_up(this, shape, "sender") as fleet:
        for number in range(options.rounds):
            progress(f"round {number + 1}")
            rates[BARE].append(await _loop(this, fleet, "aiohttp"))
            rates[AIOGRAM].append(await _loop(this, fleet, "aiogram"))
            rate, used = await _muster(fleet)
            rates[MUSTER].append(rate)
    return rates, used


async def _loop(this: Stage, fleet: Broadcasters, kind: str) -> float:
    (token,) = fleet.tokens.values()
    words = [*this.cores.measured, *this.python("bench.peers.send_loop", kind, fleet.telegram, token)]
    process = await asyncio.create_subprocess_exec(
        *words,
        str(fleet.shape.sends),
        str(_CONCURRENCY),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=this.environment,
        cwd=ROOT,
    )
    chats = "\n".join(str(chat["id"]) for chat in (await fleet.admin("GET", "chats"))["chats"])
    said, _ = await process.communicate(chats.encode())
    found = json.loads(said)
    return float(found["sent"] / found["seconds"])


async def _muster(fleet: Broadcasters) -> tuple[float, dict[str, float]]:
    """All slots are given at once and lie on the queue: the sender alone decides how long it takes."""
    (bot_id,) = fleet.groups
    number = await _slotted(fleet, BotId(bot_id))
    skip = len(fleet.calls())
    before = fleet.cpu()
    sender = fleet.services.start("sender")
    while (await fleet.states(number))["sent"] < fleet.shape.sends:  # noqa: ASYNC110 (rows have no event)
        await asyncio.sleep(0.1)
    pid = fleet.services.pid(sender)
    after = fleet.cpu() | {"sender": cpu_seconds([pid])}
    await asyncio.to_thread(fleet.services.stop, sender)
    times = sorted(call["at"] for call in fleet.calls()[skip:] if call["method"] == "sendMessage")
    times = times[_CONCURRENCY:]  # as the others, who warm up
    used = {part: 1e6 * (seconds - before.get(part, 0)) / fleet.shape.sends for part, seconds in after.items()}
    return (len(times) - 1) / (times[-1] - times[0]), used


async def _slotted(fleet: Broadcasters, bot_id: BotId) -> int:
    content = {"method": "sendMessage", "params": {"text": "We meet at noon, {{title}}."}}
    targets = Targets(group_ids=fleet.groups[bot_id])
    async with fleet.pool.transaction("bench") as tx:
        number = await broadcasts.create(tx, targets, content)
        while await deliveries.plan(tx, number, targets, limit=10_000):
            pass
        await broadcasts.planned(tx, number)
        found = await deliveries.candidates(tx, {bot_id: fleet.shape.sends}, timedelta(hours=1), turn=0)
        now = min(candidate.due_at for candidate in found)
        times = await in_hand.assign(tx, "deliveries", [(candidate, now) for candidate in found])
    jobs = [
        SendFinalMessage(
            delivery_id=c.delivery_id,
            group_id=c.group_id,
            bot_id=bot_id,
            slot=1,
            slot_at=times[c.delivery_id],
            broadcast_id=number,  # as the brain does: without it the sender asks the database for each job
        )
        for c in found
    ]
    for first in range(0, len(jobs), 500):
        await asyncio.gather(
            *(
                fleet.publisher.publish(GROUP_MESSAGE_QUEUE, job, job_id=JobId(f"d:{job.delivery_id}"))
                for job in jobs[first : first + 500]
            )
        )
    return number


async def _plan(this: Stage, count: int) -> Planned:
    progress(f"planning {count:,} deliveries")
    async with bring_up(this, Shape(1, 1, 0, limits="off", brains=0), f"plan{count}") as fleet:
        await fleet.fill(count)
        return await plan_paused(fleet)


def _tell(
    rates: Mapping[str, Sequence[float]],
    cpu: Mapping[str, float],
    plans: Sequence[Planned],
    whole: Slice | None,
    about: dict[str, str],
) -> int:
    print("\n".join(f"{name}: {value}" for name, value in about.items()) + "\n")
    figures = _tell_race(rates, cpu) if rates[MUSTER] else {}
    if plans:
        head = ("planned", "seconds", "RSS MiB of the sender before", "at most")
        rows = [[f"{p.deliveries:,}", f"{p.seconds:.1f}", f"{p.before:.0f}", f"{p.most:.0f}"] for p in plans]
        print(report.table(head, rows), end="\n\n")
    for plan in plans:
        limit = _PLAN_AIM * plan.deliveries / 100_000
        text = f"{plan.deliveries:,} planned within {limit:.0f} s: {plan.seconds:.1f} s"
        print(report.aim(text, met=plan.seconds <= limit))
        figures |= {f"plan_{plan.deliveries}_seconds": round(plan.seconds, 2)}
        figures |= {f"plan_{plan.deliveries}_grown_mib": round(plan.most - plan.before, 1)}
    if whole is not None:
        print()
        extrapolated.tell(whole)
        figures |= whole.figures
    print(report.last_line("sender", figures, about))
    return 0


def _tell_race(rates: Mapping[str, Sequence[float]], cpu: Mapping[str, float]) -> dict[str, object]:
    bare = statistics.median(rates[BARE])
    rows = [[name, report.spread(each), f"{statistics.median(each) / bare:.2f}"] for name, each in rates.items()]
    print(report.table(("one process", "sends/s", "of the bare loop"), rows), end="\n\n")
    print(report.table(("CPU", "µs a send"), [[part, f"{used:,.0f}"] for part, used in cpu.items()]), end="\n\n")
    ratio = statistics.median(rates[MUSTER]) / bare
    print(report.aim(f"{_AIM} of the bare loop, ledger included: {ratio:.2f}", met=ratio >= _AIM))
    figures: dict[str, object] = {f"{name}_per_second": round(statistics.median(r), 1) for name, r in rates.items()}
    figures |= {"ratio_to_bare_aiohttp": round(ratio, 3)}
    return figures | {
        "ratio_to_aiogram": round(statistics.median(rates[MUSTER]) / statistics.median(rates[AIOGRAM]), 3)
    }
