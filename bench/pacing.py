"""How near broadcasts come to what Telegram's limits allow, and how often they overstep them (429)."""

from __future__ import annotations

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import broker, report
from bench.broadcasters import PER_SECOND, Broadcasters, Shape, bring_up
from bench.cores import Cores
from bench.stage import Stage, progress, stage

_PACKAGES = ("aiohttp", "aio-pika", "asyncpg", "uvloop")
_AIM = 0.97


@dataclass(frozen=True)
class Case:
    """What came of one shape; `shares` by bot."""

    shape: Shape
    shares: Sequence[float]
    steady: Sequence[float]  # the same without the beginning and the end: of any 31 sends
    floods: int
    states: Mapping[str, int]
    span: float
    cpu: Mapping[str, float]  # µs a send, by part

    @property
    def worst(self) -> float:
        """Of the bots."""
        return min(self.shares)

    @property
    def name(self) -> str:
        """For the JSON line."""
        return f"bots{self.shape.bots}_senders{self.shape.senders}_{self.shape.limits}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The matrix."""
    parser.add_argument("--bots", type=int, nargs="+", default=[1, 10], help="(%(default)s)")
    parser.add_argument("--senders", type=int, nargs="+", default=[1, 4], help="sender processes (%(default)s)")
    parser.add_argument("--sends", type=int, default=600, help="of each bot (%(default)s)")
    parser.add_argument("--limits", nargs="+", default=["strict"], choices=["strict", "penalty"], help="(%(default)s)")


def run(options: argparse.Namespace) -> int:
    """0 when every delivery was sent and nothing was sent twice."""
    about = report.machine(_PACKAGES)
    with stage(Cores()) as this:
        about |= {"rabbitmq": asyncio.run(broker.version(this.servers.amqp_url))}
        cases = [_case(this, shape) for shape in _shapes(options)]
    return _tell(cases, about)


def _shapes(options: argparse.Namespace) -> Iterator[Shape]:
    for limits in options.limits:
        for bots in options.bots:
            for senders in options.senders:
                yield Shape(bots, senders, options.sends, limits)


def _case(this: Stage, shape: Shape) -> Case:
    progress(f"{shape.bots} bots, {shape.senders} senders, {shape.sends} sends each, limits {shape.limits}")
    return asyncio.run(_measure(this, shape))


async def _measure(this: Stage, shape: Shape) -> Case:
    async with bring_up(this, shape, f"b{shape.bots}s{shape.senders}{shape.limits}") as fleet:
        await _warm_up(fleet)
        skip = len(fleet.calls())
        before = fleet.cpu()
        number = await fleet.broadcast([group for groups in fleet.groups.values() for group in groups])
        await fleet.done(number, within=60 + 4 * shape.sends / PER_SECOND)
        used = {part: 1e6 * (seconds - before[part]) for part, seconds in fleet.cpu().items()}
        states = await fleet.states(number)
        calls = [call for call in fleet.calls()[skip:] if call["method"] == "sendMessage"]
    times = _arrivals(calls)
    total = sum(map(len, times.values()))
    return Case(
        shape,
        [share(each) for each in times.values()],
        [steady(each) for each in times.values()],
        sum(call["status"] != "ok" for call in calls),
        states,
        max(each[-1] - each[0] for each in times.values()),
        {part: micros / total for part, micros in used.items()},
    )


async def _warm_up(fleet: Broadcasters) -> None:
    """A second's worth, so that connections are open and round trips known; the groups' minute is not touched by it."""
    number = await fleet.broadcast([group for groups in fleet.groups.values() for group in groups[:PER_SECOND]])
    await fleet.done(number, within=60)
    await asyncio.sleep(2)


def _arrivals(calls: Sequence[Mapping[str, Any]]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    for call in calls:
        if call["status"] == "ok":
            found[call["bot_id"]].append(call["at"])
    return {bot: sorted(times) for bot, times in found.items()}


def share(times: Sequence[float]) -> float:
    """The shortest span that the limit allows for so many sends, divided by the span needed."""
    return ((len(times) - 1) // PER_SECOND) / (times[-1] - times[0])


def steady(times: Sequence[float]) -> float:
    """A second, divided by what a bot's 31 sends in a row take on average."""
    gaps = [later - earlier for earlier, later in zip(times, times[PER_SECOND:], strict=False)]
    return len(gaps) / sum(gaps)


def _tell(cases: Sequence[Case], about: dict[str, str]) -> int:
    print("\n".join(f"{name}: {value}" for name, value in about.items()) + "\n")
    head = (
        "limits",
        "bots",
        "senders",
        "sends each",
        "share, worst bot",
        "median",
        "steady",
        "429s",
        "seconds",
        "not sent",
    )
    print(report.table(head, [_row(case) for case in cases]), end="\n\n")
    parts = list(dict.fromkeys(part for case in cases for part in case.cpu))
    print(report.table(("CPU µs a send", *parts), [_cpu_row(case, parts) for case in cases]), end="\n\n")
    for case in cases:
        text = f"{case.name}: {case.worst:.3f} of the best (aim {_AIM}), {case.floods} 429s (aim 0)"
        print(report.aim(text, met=case.worst >= _AIM and case.floods == 0))
    figures: dict[str, object] = {}
    for case in cases:
        figures |= {f"{case.name}_share": round(case.worst, 3), f"{case.name}_429": case.floods}
        figures |= {f"{case.name}_steady": round(min(case.steady), 3)}
    print(report.last_line("pacing", figures, about))
    wrong = [case for case in cases if set(case.states) != {"sent"}]
    return 1 if wrong else 0


def _row(case: Case) -> list[str]:
    middle = sorted(case.shares)[len(case.shares) // 2]
    unsent = sum(n for state, n in case.states.items() if state != "sent")
    shape = case.shape
    numbers = map(str, (shape.bots, shape.senders, shape.sends))
    shares = (f"{value:.3f}" for value in (case.worst, middle, min(case.steady)))
    return [shape.limits, *numbers, *shares, str(case.floods), f"{case.span:.1f}", str(unsent)]


def _cpu_row(case: Case, parts: Sequence[str]) -> list[str]:
    return [case.name, *(f"{case.cpu.get(part, 0):,.0f}" for part in parts)]
