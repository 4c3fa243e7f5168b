"""A private message end to end, from the webhook's POST to the reply's arrival at Telegram; each service's memory."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from bench import broker, report
from bench.cores import Cores
from bench.crowd import Crowd
from bench.fleet import Fleet, bring_up
from bench.stage import progress, stage
from bench.usage import Memory

_PACKAGES = ("aiogram", "aiohttp", "aio-pika", "asyncpg", "uvicorn", "uvloop", "opentelemetry-sdk")
_MEMORY_AIM = 80  # MiB
_P50_AIM = 15  # ms


@dataclass(frozen=True)
class Talk:
    """What came of so many users writing at once."""

    users: int
    seconds: Sequence[float]  # of each message
    lasted: float
    cpu: Mapping[str, float]  # seconds, by part

    @property
    def figures(self) -> dict[str, float]:
        """By name."""
        found = {
            "p50_ms": 1000 * statistics.median(self.seconds),
            "p99_ms": 1000 * report.percentile(self.seconds, 0.99),
            "per_second": len(self.seconds) / self.lasted,
        }
        return found | {f"cpu_us_{part}": 1e6 * used / len(self.seconds) for part, used in self.cpu.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run's length."""
    parser.add_argument("--alone", type=int, default=300, help="messages of one user, one at a time (%(default)s)")
    parser.add_argument("--users", type=int, default=100, help="users who write at once (%(default)s)")
    parser.add_argument("--each", type=int, default=20, help="messages of each of them (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """0 when every message was answered."""
    about = report.machine(_PACKAGES)
    with stage(Cores()) as this:
        about |= {"rabbitmq": asyncio.run(broker.version(this.servers.amqp_url))}
        progress("starting the four services and the simulated Telegram")
        fleet = bring_up(this)
        idle = fleet.memory()
        talks = asyncio.run(_talks(fleet, options))
        after = fleet.memory()
    return _tell(talks, idle, after, about)


async def _talks(fleet: Fleet, options: argparse.Namespace) -> list[Talk]:
    connector = aiohttp.TCPConnector(limit=0)
    with fleet.effects.open(encoding="utf-8") as log:
        async with aiohttp.ClientSession(connector=connector) as session:
            crowd = Crowd(fleet, session, log)
            everybody = await asyncio.to_thread(fleet.users, options.users)
            await crowd.answered(everybody)
            await crowd.each_writes(everybody[:1], 20)  # warm, and not counted
            return [
                await _talk(crowd, everybody[:1], options.alone),
                await _talk(crowd, everybody, options.each),
            ]


async def _talk(crowd: Crowd, users: Sequence[int], times: int) -> Talk:
    progress(f"{len(users)} at once, {times} messages each")
    before, begun = crowd.fleet.cpu(), time.monotonic()
    seconds = await crowd.each_writes(users, times)
    lasted = time.monotonic() - begun
    after = crowd.fleet.cpu()
    return Talk(len(users), seconds, lasted, {part: after[part] - before[part] for part in after})


def _tell(talks: list[Talk], idle: dict[str, Memory], after: dict[str, Memory], about: dict[str, str]) -> int:
    print("\n".join(f"{name}: {value}" for name, value in about.items()) + "\n")
    head = ("users at once", "messages", "p50 ms", "p99 ms", "messages/s")
    print(report.table(head, [_talk_row(talk) for talk in talks]), end="\n\n")
    cpu_head = ("CPU µs a message", *(f"{talk.users} at once" for talk in talks))
    print(report.table(cpu_head, list(_cpu_rows(talks))), end="\n\n")
    memory_head = ("memory MiB", "idle RSS", "idle PSS", "RSS after load", "PSS after load")
    print(report.table(memory_head, [_memory_row(name, idle[name], after[name]) for name in idle]), end="\n\n")
    p50 = talks[0].figures["p50_ms"]
    print(report.aim(f"p50 of {_P50_AIM} ms end to end when idle: {p50:.1f} ms", met=p50 <= _P50_AIM))
    for name in ("ingress", "sender"):
        rss = idle[name].rss
        print(report.aim(f"{name} within {_MEMORY_AIM} MiB idle: {rss:.0f} MiB", met=rss <= _MEMORY_AIM))
    print(report.last_line("dm", _figures(talks, idle, after), about))
    return 0


def _talk_row(talk: Talk) -> list[str]:
    found = talk.figures
    return [
        str(talk.users),
        f"{len(talk.seconds):,}",
        *(f"{found[n]:,.1f}" for n in ("p50_ms", "p99_ms", "per_second")),
    ]


def _cpu_rows(talks: Sequence[Talk]) -> Iterator[list[str]]:
    for part in talks[0].cpu:
        yield [part, *(f"{talk.figures[f'cpu_us_{part}']:,.0f}" for talk in talks)]


def _memory_row(name: str, idle: Memory, after: Memory) -> list[str]:
    return [name, *(f"{value:.1f}" for value in (idle.rss, idle.pss, after.rss, after.pss))]


def _figures(talks: list[Talk], idle: dict[str, Memory], after: dict[str, Memory]) -> dict[str, object]:
    found: dict[str, object] = {}
    for talk in talks:
        found |= {f"users{talk.users}_{name}": round(value, 2) for name, value in talk.figures.items()}
    for name, memory in idle.items():
        found |= {f"{name}_idle_rss_mib": round(memory.rss, 1), f"{name}_idle_pss_mib": round(memory.pss, 1)}
        found |= {f"{name}_loaded_rss_mib": round(after[name].rss, 1)}
    return found
