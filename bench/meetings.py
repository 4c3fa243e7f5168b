"""What broadcasts do to each other and to replies: fairness, urgency, groups that several want, people who write."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bench import broker, report
from bench.broadcasters import Broadcasters, Shape, bring_up
from bench.cores import Cores
from bench.stage import progress, stage
from bench.windows import share

_REPLY_AIM = 1.2  # seconds, p99
_URGENT_AIM = 3.0  # seconds


@dataclass(frozen=True)
class Found:
    """One meeting's figure and whether it is good."""

    name: str
    text: str
    figure: float
    good: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How large."""
    parser.add_argument("--waiting", type=int, default=1500, help="deliveries that wait (%(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="how long people write (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """0 when all are good."""
    about = report.machine(("aiohttp", "aio-pika", "asyncpg"))
    found: list[Found] = []
    with stage(Cores()) as this:
        about |= {"rabbitmq": asyncio.run(broker.version(this.servers.amqp_url))}
        for meet, shape in (
            (_fair, Shape(1, 2, 2 * options.waiting)),
            (_urgent, Shape(1, 2, options.waiting + 10)),
            (_wanted_by_three, Shape(1, 2, 60)),
            (_people_write, Shape(1, 2, options.waiting, voices=1)),
        ):
            progress(meet.__name__.strip("_").replace("_", " "))

            async def case(meet: Any = meet, shape: Shape = shape) -> list[Found]:
                async with bring_up(this, shape, meet.__name__.strip("_")) as fleet:
                    result: list[Found] = await meet(fleet, options)
                    return result

            found += asyncio.run(case())
    print(report.table(("meeting", "found"), [[each.name, each.text] for each in found]), end="\n\n")
    for each in found:
        print(report.aim(f"{each.name}: {each.text}", met=each.good))
    print(report.last_line("meetings", {each.name: round(each.figure, 3) for each in found}, about))
    return 0 if all(each.good for each in found) else 1


async def _fair(fleet: Broadcasters, options: argparse.Namespace) -> list[Found]:
    """Two of the same priority, to different groups of the same bot, begun one after the other."""
    groups = next(iter(fleet.groups.values()))
    half = len(groups) // 2
    await fleet.broadcast(groups[:half])
    await fleet.broadcast(groups[half:])
    await asyncio.sleep(3)  # the first has a second for itself while the other is planned
    before = await fleet.sent()
    await asyncio.sleep(min(options.seconds, half / 20))
    sent = [after - earlier for earlier, after in zip(before, await fleet.sent(), strict=True)]
    ratio = min(sent) / max(sent)
    return [Found("fair_ratio", f"{sent[0]} and {sent[1]} sent in the same time: {ratio:.2f}", ratio, ratio >= 0.9)]


async def _urgent(fleet: Broadcasters, _: argparse.Namespace) -> list[Found]:
    """Ten groups of the highest priority while everything else waits."""
    groups = next(iter(fleet.groups.values()))
    await fleet.broadcast(groups[10:])
    await asyncio.sleep(5)
    begun = time.monotonic()
    urgent = await fleet.broadcast(groups[:10], priority=9)
    while (await fleet.states(urgent))["sent"] < 10:  # noqa: ASYNC110 (rows have no event)
        await asyncio.sleep(0.05)
    seconds = time.monotonic() - begun
    return [Found("urgent_seconds", f"10 urgent groups had it after {seconds:.2f} s", seconds, seconds <= _URGENT_AIM)]


async def _wanted_by_three(fleet: Broadcasters, _: argparse.Namespace) -> list[Found]:
    """Three broadcasts to the same groups: one a second and twenty a minute to each, whoever sends."""
    groups = next(iter(fleet.groups.values()))
    numbers = [await fleet.broadcast(groups) for _ in range(3)]
    for number in numbers:
        await fleet.done(number, within=120)
    calls = [call for call in fleet.calls() if call["method"] == "sendMessage"]
    chats: dict[int, list[float]] = defaultdict(list)
    for call in calls:
        if call["status"] == "ok":
            chats[call["chat_id"]].append(call["at"])
    nearest = min(later - earlier for times in chats.values() for earlier, later in pairwise(sorted(times)))
    floods = sum(call["status"] != "ok" for call in calls)
    complete = all(len(times) == 3 for times in chats.values())
    good = floods == 0 and nearest >= 1 and complete
    text = f"nearest two sends to one group {nearest:.3f} s apart, {floods} 429s, complete: {complete}"
    return [Found("nearest_in_a_group_seconds", text, nearest, good)]


async def _people_write(fleet: Broadcasters, options: argparse.Namespace) -> list[Found]:
    """Two a second write to the bot while its broadcast runs at full rate."""
    bot_id, groups = next(iter(fleet.groups.items()))
    users = (await fleet.admin("POST", "users", count=int(options.seconds * 2), first_name="Ada"))["users"]
    await fleet.broadcast(groups)
    await asyncio.sleep(3)
    wrote: dict[int, float] = {}
    begun = time.time()
    for user in users:
        wrote[user["id"]] = time.time()
        await fleet.admin("POST", "messages", bot_id=bot_id, user_id=user["id"], text="hello")
        await asyncio.sleep(0.5)
    await asyncio.sleep(3)
    calls = [call for call in fleet.calls() if call["method"] == "sendMessage" and call["at"] >= begun]
    return [*_replies(calls, wrote), *_rate(calls)]


def _replies(calls: Sequence[Mapping[str, Any]], wrote: Mapping[int, float]) -> list[Found]:
    seconds = {
        call["chat_id"]: call["at"] - wrote[call["chat_id"]]
        for call in calls
        if call["chat_id"] in wrote and call["status"] == "ok"
    }
    if len(seconds) < len(wrote):
        return [Found("reply_p99_seconds", f"{len(wrote) - len(seconds)} without a reply", 0, good=False)]
    p99 = report.percentile(list(seconds.values()), 0.99)
    p50 = report.percentile(list(seconds.values()), 0.5)
    text = f"p50 {p50:.2f} s, p99 {p99:.2f} s of {len(seconds)} replies"
    return [Found("reply_p99_seconds", text, p99, p99 <= _REPLY_AIM)]


def _rate(calls: Sequence[Mapping[str, Any]]) -> list[Found]:
    counted = Counter(call["status"] for call in calls)
    times = sorted(call["at"] for call in calls if call["status"] == "ok")
    reached, floods = share(times), sum(counted.values()) - counted["ok"]
    text = f"{reached:.3f} of the best with replies mixed in, {floods} 429s"
    return [Found("share_with_replies", text, reached, reached >= 0.95 and floods == 0)]
