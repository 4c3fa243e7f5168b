"""Many faults after each other on one running system; a fault that failed leaves it to be built anew."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from stack.keys import Secrets

from faults import broker
from faults.fault import Fault
from faults.report import Outcome, broken_off
from faults.rig import TELEGRAM, Rig, keep_logs, place, start_servers
from faults.trial import try_fault

SERVICES = ("ingress-1", "dm-1", "tgms-1", "sender-1")


@dataclass(frozen=True)
class Plan:
    """Which faults, how often, and with which seed."""

    faults: Sequence[Fault]
    full: bool
    seed: int
    trials: int | None = None  # for every fault, instead of its own number
    keep: bool = False  # the logs of what passed too

    def times(self, fault: Fault) -> int:
        """How often a fault is tried."""
        return self.trials or (fault.full if self.full else fault.quick)


async def run(plan: Plan, say: Callable[[str], None]) -> tuple[list[Outcome], dict[str, Any]]:
    """The outcomes, and the versions of the servers."""
    outcomes: list[Outcome] = []
    versions: dict[str, Any] = {}
    waiting = list(plan.faults)
    while waiting:
        async with _system(say) as rig:
            versions = versions or await _versions(rig)
            clean = True
            while waiting and clean:
                outcomes.append(await _one(rig, waiting.pop(0), plan, say))
                clean = outcomes[-1].passed
            left = await _end(rig)
            if clean and left:
                outcomes[-1] = replace(outcomes[-1], broken=[f"left unacked after all services stopped: {left}"])
    return outcomes, versions


async def _one(rig: Rig, fault: Fault, plan: Plan, say: Callable[[str], None]) -> Outcome:
    times = plan.times(fault)
    say(f"{fault.name} ({fault.ids}): {fault.title}, {times} {fault.unit}")
    began = time.monotonic()
    try:
        outcome = await try_fault(rig, fault, trials=times, seed=plan.seed, say=say)
    except Exception as error:  # noqa: BLE001 (a run that breaks off is a failed one; the others are still tried)
        say(traceback.format_exc())
        outcome = broken_off(fault.name, fault.ids, times, time.monotonic() - began, repr(error))
    for line in (*outcome.verdict.violations, *outcome.broken):
        say(f"  BROKEN: {line}")
    if plan.keep or not outcome.passed:
        say(f"  logs: {keep_logs(rig.folder, fault.name)}")
    say(f"  {'passed' if outcome.passed else 'FAILED'} after {outcome.seconds:.0f} s, {dict(outcome.figures)}")
    return outcome


@asynccontextmanager
async def _system(say: Callable[[str], None]) -> AsyncIterator[Rig]:
    with place() as (folder, keeper):
        say("starting PostgreSQL (fsync on), RabbitMQ, the simulated Telegram and the four services")
        servers = await start_servers(folder, keeper, say)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            rig = Rig(folder, keeper, servers, Secrets.of(folder), http)
            await asyncio.gather(rig.command("migrate"), rig.command("topology"), rig.start(TELEGRAM))
            await rig.start(*SERVICES)
            yield rig


async def _end(rig: Rig) -> dict[str, int]:
    """Stops the services and returns what the queues still hold: all that was unacked is back by then."""
    await rig.stop(*(name for name in rig.children if name != TELEGRAM))
    return await broker.depths(rig.servers.amqp_url)


async def _versions(rig: Rig) -> dict[str, Any]:
    connection = await asyncpg.connect(rig.servers.database_url)
    try:
        postgres = await connection.fetchval("SHOW server_version")
        fsync = await connection.fetchval("SHOW fsync")
    finally:
        await connection.close()
    rabbit = rabbit_version(rig.folder / "logs" / "rabbitmq.log")
    packages = {name: version(name) for name in ("aio-pika", "asyncpg", "aiogram", "uvicorn")}
    return {"postgres": postgres, "fsync": fsync, "rabbitmq": rabbit, **packages}


def rabbit_version(log: Path) -> str:
    """As the broker's own log names it."""
    lines = log.read_text(errors="replace").splitlines()
    return next((line.split("RabbitMQ", 1)[1].split()[0] for line in lines if "Starting RabbitMQ" in line), "?")
