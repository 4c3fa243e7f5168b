"""How near broadcasts come to what Telegram's limits allow, and how often they overstep them (429), beside peers."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bench import broker, report
from bench.broadcasters import Broadcasters, Shape, bring_up
from bench.cores import Cores
from bench.paced import Case, tell
from bench.stage import Stage, progress, stage
from bench.throttlers import MUSTER, PEERS, Contender, Errand, available, contender
from bench.usage import busy_seconds
from bench.windows import PER_MINUTE, PER_SECOND, group_share, share, steady

_PACKAGES = ("aiohttp", "aio-pika", "asyncpg", "uvloop", "python-telegram-bot", "aiolimiter")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The matrix."""
    parser.add_argument("--bots", type=int, nargs="+", default=[1, 10], help="(%(default)s)")
    parser.add_argument("--senders", type=int, nargs="+", default=[1, 4], help="sender processes (%(default)s)")
    parser.add_argument("--sends", type=int, default=600, help="of each bot (%(default)s)")
    both = ["strict", "penalty"]  # the second: each 429 shuts its lane for 3 s
    parser.add_argument("--limits", nargs="+", default=both, choices=both, help="(%(default)s)")
    text = "beside Muster, with the fewest bots; - for none (%(default)s)"
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=[*PEERS, "-"], help=text)
    text = "instead: so many groups of one bot at once have 20 a minute each (%(default)s)"
    parser.add_argument("--groups", type=int, default=0, help=text)
    parser.add_argument("--each", type=int, default=50, help="sends to each of --groups: 50 need 129 s (%(default)s)")
    text = "messages a second that people write to each bot meanwhile (%(default)s)"
    parser.add_argument("--replies", type=float, default=0, help=text)


def run(options: argparse.Namespace) -> int:
    """0 when Muster sent all there was to send, and nothing twice."""
    about = report.machine(_PACKAGES)
    peers = available([name for name in options.peers if name != "-"])
    with stage(Cores()) as this:
        about |= {"rabbitmq": asyncio.run(broker.version(this.servers.amqp_url))}
        cases = [asyncio.run(_measure(this, who, shape, options)) for who, shape in _cases(options, peers)]
    return tell(cases, about)


def _cases(options: argparse.Namespace, peers: Sequence[str]) -> Iterator[tuple[str, Shape]]:
    sends = options.groups + PER_SECOND if options.groups else options.sends
    for limits in options.limits:
        for bots in [1] if options.groups else options.bots:
            for senders in options.senders:
                yield MUSTER, Shape(bots, senders, sends, limits, voices=int(options.replies > 0))
        for who in peers:  # no process of Muster's runs
            yield who, Shape(1 if options.groups else min(options.bots), 0, sends, limits, brains=0)


async def _measure(this: Stage, who: str, shape: Shape, options: argparse.Namespace) -> Case:
    progress(f"{who}: {shape.bots} bots, {shape.senders} senders, limits {shape.limits}")
    errand = Errand(slice(PER_SECOND), slice(None))
    if options.groups:
        errand = Errand(slice(options.groups, None), slice(options.groups), options.each)
    name = f"{who}-b{shape.bots}s{shape.senders}{shape.limits}"
    async with bring_up(this, shape, name) as fleet, contender(this, fleet, errand, who) as sender:
        await sender.warm_up()
        await asyncio.sleep(2)
        skip = len(fleet.calls())
        before, busy, begun = sender.cpu(), busy_seconds(), time.monotonic()
        await _send(sender, _patience(who, options), options.replies)
        lasted = time.monotonic() - begun
        cores = lasted * (os.cpu_count() or 1)  # in seconds of CPU
        machine = (busy_seconds() - busy) / cores
        used = {part: seconds - before[part] for part, seconds in sender.cpu().items()}
        calls = [call for call in fleet.calls()[skip:] if call["method"] == "sendMessage"]
        expected = sum(len(chats[errand.to]) for chats in fleet.chats.values()) * errand.each
    to_groups = [call for call in calls if call["chat_id"] < 0 and call["status"] == "ok"]
    by_bot = _arrivals(calls, "bot_id", until=max((call["at"] for call in to_groups), default=0.0))
    return Case(
        who,
        shape,
        errand.each,
        *_shares(by_bot, _arrivals(to_groups, "chat_id") if options.groups else None),
        sum(call["status"] != "ok" for call in calls),
        expected - len(to_groups),
        max((each[-1] - each[0] for each in by_bot.values()), default=0.0),
        {part: 1e6 * seconds / max(1, len(to_groups)) for part, seconds in used.items()},
        used["telegram"] / lasted,
        machine,
        sum(used.values()) / cores,
    )


async def _send(sender: Contender, patience: float, replies: float) -> None:
    people = asyncio.create_task(_people_write(sender.fleet, replies)) if replies else None
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await sender.send()
    finally:
        if people is not None:
            people.cancel()
            with suppress(asyncio.CancelledError):
                await people


async def _people_write(fleet: Broadcasters, per_second: float) -> None:
    """Each person once, so that nobody's patience is tried; to all bots at a steady pace."""
    while True:
        for bot_id in fleet.tokens:
            (user,) = (await fleet.admin("POST", "users", count=1, first_name="Ada"))["users"]
            await fleet.admin("POST", "messages", bot_id=bot_id, user_id=user["id"], text="hello")
            await asyncio.sleep(1 / per_second / len(fleet.tokens))


def _patience(who: str, options: argparse.Namespace) -> float:
    """Seconds; a peer that floods without end is cut off, and what it has not sent is told."""
    best = 60 * options.each / PER_MINUTE if options.groups else options.sends / PER_SECOND
    return float(10 * best + 60 if who == MUSTER else 3 * best + 30)


def _arrivals(calls: Sequence[Mapping[str, Any]], key: str, *, until: float = float("inf")) -> dict[int, list[float]]:
    """Of what was accepted: a bot's replies after its broadcast are not the broadcast's."""
    found: dict[int, list[float]] = defaultdict(list)
    for call in calls:
        if call["status"] == "ok" and call["at"] <= until:
            found[call[key]].append(call["at"])
    return {one: sorted(times) for one, times in found.items()}


def _shares(
    by_bot: Mapping[int, Sequence[float]], by_group: Mapping[int, Sequence[float]] | None
) -> tuple[list[float], list[float]]:
    if by_group is not None:
        return [group_share(times) for times in by_group.values()], []
    return [share(times) for times in by_bot.values()], [steady(times) for times in by_bot.values()]
