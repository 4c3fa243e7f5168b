"""The webhook with a confirmed publish, beside its peers, in one run: everybody in turn, several rounds."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from common.queues import DM_QUEUE

from bench import broker, contenders, report
from bench.contenders import BARE, FASTAPI, MUSTER, NODE, TITLES, Contender
from bench.cores import Cores
from bench.diverted import diverted
from bench.load import Load
from bench.match import FIGURES, Match, Result
from bench.stage import Stage, progress, stage
from bench.usage import cpu_seconds

_TEMPLATE = Path(__file__).with_name("update.json")
_PACKAGES = ("uvicorn", "uvloop", "httptools", "fastapi", "starlette", "aio-pika", "opentelemetry-sdk")
_HEAD = ("contender", "conns", "req/s", "p50 ms", "p99 ms", "CPU µs/req", "2xx", "in the queue")
_IDS = 100_000_000  # update ids kept free for one shot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run's length."""
    parser.add_argument("--rounds", type=int, default=3, help="turns of everybody (%(default)s)")
    parser.add_argument("--seconds", type=int, default=5, help="of load a turn (%(default)s)")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 32], help="connections (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=sorted(TITLES), help="leave the others out, for a quick look")


def run(options: argparse.Namespace) -> int:
    """0 when every good answer's message was in the queue."""
    about = report.machine(_PACKAGES)
    cores = Cores.share_out()
    with stage(cores) as this:
        for verb in ("topology", "migrate"):
            subprocess.run(this.python("common", verb), env=this.environment, check=True, stdout=subprocess.DEVNULL)
        about |= {"rabbitmq": asyncio.run(broker.version(this.servers.amqp_url)), "cores_used": str(cores)}
        match, spans = _play(this, options)
    return _tell(match, options.concurrency, spans, about)


def _play(this: Stage, options: argparse.Namespace) -> tuple[Match, int]:
    collector = this.collector()
    everybody = contenders.start_all(this, collector, options.only or TITLES)
    load, match, ids = Load(contenders.secret(), _TEMPLATE, this.cores), Match(), count(0, _IDS)
    for contender in everybody:
        _turn(this, load, contender, connections=8, seconds=1, ids=ids)  # warm, and not counted
    for number in range(1, options.rounds + 1):
        for connections in options.concurrency:
            for contender in everybody:
                result = _turn(this, load, contender, connections=connections, seconds=options.seconds, ids=ids)
                match.add(contender.name, connections, result)
                progress(f"round {number}: {TITLES[contender.name]}, {connections}: {result.per_second:,.0f}/s")
    with urllib.request.urlopen(f"{collector}/spans") as answer:  # noqa: S310 (our own loopback)
        return match, json.load(answer).get("ingress", 0)


def _turn(
    this: Stage, load: Load, contender: Contender, *, connections: int, seconds: int, ids: Iterator[int]
) -> Result:
    pids = [contender.child.identity.pid]
    before, aside = cpu_seconds(pids), asyncio.run(diverted(this.servers.database_url))
    shot = load.shoot(contender.url, connections=connections, seconds=seconds, first_id=next(ids))
    queued = asyncio.run(broker.take_all(this.servers.amqp_url, DM_QUEUE.name))
    cpu, aside = cpu_seconds(pids) - before, asyncio.run(diverted(this.servers.database_url)) - aside
    return Result(shot, cpu, queued, aside)


def _tell(match: Match, concurrency: list[int], spans: int, about: dict[str, str]) -> int:
    print("\n".join(f"{name}: {value}" for name, value in about.items()) + "\n")
    print(report.table(_HEAD, list(_rows(match))))
    traced = sum(r.shot.good for (name, _), results in match.results.items() if name == MUSTER for r in results)
    print(f"\nspans that reached the collector: {spans:,} of {traced:,} traced requests")
    aside = sum(r.diverted for results in match.results.values() for r in results)
    print(f"for a confirm was late: {match.again(MUSTER)} published again, {aside} kept in the outbox\n")
    figures = _figures(match, concurrency) | {"spans_per_traced_request": round(spans / max(1, traced), 2)}
    for line in _aims(figures, match):
        print(line)
    figures |= {"published_again": match.again(MUSTER), "diverted": aside}
    wrong = list(match.wrong())
    print("".join(f"WRONG: {line}\n" for line in wrong))
    print(report.last_line("webhook", figures | {"wrong": len(wrong)}, about))
    return 1 if wrong else 0


def _rows(match: Match) -> Iterator[list[str]]:
    for (name, connections), results in sorted(match.results.items(), key=lambda item: item[0][1]):
        cells = [report.spread(match.values(name, connections, each), 2 if "ms" in each else 0) for each in FIGURES]
        queued = "-" if name == BARE else f"{sum(r.queued for r in results):,}"
        yield [TITLES[name], str(connections), *cells, f"{sum(r.shot.good for r in results):,}", queued]


def _figures(match: Match, concurrency: list[int]) -> dict[str, object]:
    most = max(concurrency)
    found: dict[str, object] = {
        "ratio_to_fastapi_aiopika": match.ratio(FASTAPI, most),
        "ratio_to_node_amqplib": match.ratio(NODE, most),
    }
    for peer in (FASTAPI, NODE):
        found |= {f"ratio_to_{peer}_c{each}": match.ratio(peer, each) for each in concurrency}
        found |= {f"cpu_ratio_to_{peer}_c{each}": match.ratio(peer, each, "cpu_us") for each in concurrency}
    for name, each in match.results:
        found |= {f"{name}_c{each}_{figure}": round(match.median(name, each, figure), 3) for figure in FIGURES}
    return found


def _aims(figures: dict[str, object], match: Match) -> Iterator[str]:
    ratio = figures["ratio_to_fastapi_aiopika"]
    if isinstance(ratio, float):
        yield report.aim(f"1.5 x FastAPI + aio-pika, tracing on: {ratio} x", met=ratio >= 1.5)
    if (MUSTER, 1) in match.results:
        p50 = match.median(MUSTER, 1, "p50_ms")
        yield report.aim(f"p50 of 5 ms at one connection: {p50:.2f} ms", met=p50 <= 5)
    if isinstance(figures["ratio_to_node_amqplib"], float):
        yield f"           beside node http + amqplib: {figures['ratio_to_node_amqplib']} x"
