"""A broadcast too long to wait for: all of it is planned, a slice is sent and measured, the rest is extrapolated."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from common.store import broadcasts
from stack.services import SERVICES

from bench import report
from bench.broadcasters import Broadcasters, Shape, bring_up
from bench.planning import Planned, plan_paused
from bench.stage import Stage, progress
from bench.usage import busy_seconds, memory
from bench.windows import PER_SECOND

_FULL_SPEED = 5.0  # seconds until it is reached


@dataclass(frozen=True)
class Slice:
    """Of a broadcast over many bots, at full speed."""

    shape: Shape
    planned: Planned
    sends: int
    refused: int  # 429s and whatever else
    seconds: float
    cores: Mapping[str, float]  # shares of a core, by part
    memory: Mapping[str, Sequence[float]]  # PSS in MiB, of each process of ours; servers' processes together
    busy: float  # cores, whoever used them

    @property
    def per_second(self) -> float:
        """Sends."""
        return self.sends / self.seconds

    @property
    def share(self) -> float:
        """Of what Telegram's limit allows so many bots."""
        return self.per_second / (self.shape.bots * PER_SECOND)

    @property
    def figures(self) -> dict[str, object]:
        """For the JSON line."""
        found: dict[str, object] = {f"share_{self.planned.deliveries}": round(self.share, 3)}
        found |= {"sends_per_second": round(self.per_second, 1), "refused": self.refused}
        found |= {f"cores_{part}": round(cores, 2) for part, cores in self.cores.items()}
        return found | {f"pss_mib_{part}": round(sum(mib), 1) for part, mib in self.memory.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of a bench that has others of its own."""
    text = "deliveries of a broadcast over many bots of which a slice is sent, 0 for none (%(default)s)"
    parser.add_argument("--broadcast", type=int, default=0, help=text)
    parser.add_argument("--bots", type=int, default=50, help="of --broadcast (%(default)s)")
    parser.add_argument("--senders", type=int, default=2, help="of --broadcast (%(default)s)")
    parser.add_argument("--slice", type=float, default=20, help="seconds of --broadcast that are sent (%(default)s)")


async def measure(this: Stage, options: argparse.Namespace) -> Slice:
    """Telegram knows the groups of the slice alone; the others are rows, planned after them."""
    reached = int(PER_SECOND * (options.slice + _FULL_SPEED + 5))
    shape = Shape(options.bots, options.senders, min(reached, options.broadcast // options.bots))
    progress(f"{options.broadcast:,} deliveries over {shape.bots} bots, {shape.senders} senders")
    async with bring_up(this, shape, f"broadcast{options.broadcast}") as fleet:
        await fleet.fill(options.broadcast - shape.bots * shape.sends)
        planned = await plan_paused(fleet)
        progress(f"planned in {planned.seconds:.1f} s; sending for {_FULL_SPEED + options.slice:.0f} s")
        async with fleet.pool.transaction("bench") as tx:
            await broadcasts.resume(tx, planned.broadcast_id)
        await asyncio.sleep(_FULL_SPEED)
        begun, cpu, busy = time.time(), fleet.cpu(), busy_seconds()
        await asyncio.sleep(options.slice)
        ended, used, all_used = time.time(), fleet.cpu(), busy_seconds()
        held = _memory(fleet)
        await asyncio.to_thread(fleet.services.stop_all)
        calls = [call for call in fleet.calls() if begun <= call["at"] < ended and call["method"] == "sendMessage"]
    sends, seconds = sum(call["status"] == "ok" for call in calls), ended - begun
    cores = {part: (after - cpu[part]) / seconds for part, after in used.items()}
    return Slice(shape, planned, sends, len(calls) - sends, seconds, cores, held, (all_used - busy) / seconds)


def _memory(fleet: Broadcasters) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for part, pids in fleet.processes().items():
        each = [memory(pid).pss for pid in pids if Path(f"/proc/{pid}").exists()]
        found[part] = each if part in SERVICES else [sum(each)]
    return found


def tell(found: Slice) -> None:
    """A table, and what follows for the whole."""
    rows = [
        [part, f"{cores:.2f}", " + ".join(f"{mib:.0f}" for mib in found.memory[part])]
        for part, cores in found.cores.items()
    ]
    print(report.table(("part", "of a core", "PSS MiB, by process"), rows), end="\n\n")
    planned, shape = found.planned, found.shape
    whole = timedelta(seconds=round(planned.deliveries / found.per_second)) if found.sends else "no"
    best = timedelta(seconds=round(planned.deliveries / (shape.bots * PER_SECOND)))
    print(
        f"{found.sends:,} sends in {found.seconds:.1f} s over {shape.bots} bots with {shape.senders} senders, "
        f"{found.refused} refused: {found.per_second:,.0f} a second, {found.share:.2f} of the ceiling"
    )
    print(
        f"EXTRAPOLATED, not measured: {planned.deliveries:,} sends would take {whole} (at the ceiling {best}), "
        f"after {planned.seconds:.1f} s of planning"
    )
    if found.busy > 0.9 * (os.cpu_count() or 1):
        ours = sum(found.cores.values())
        print(f"bound by the machine: {found.busy:.1f} of its {os.cpu_count()} cores were busy, {ours:.1f} with this")
    elif found.cores["telegram"] > 0.8:
        print(f"bound by the simulated Telegram: {found.cores['telegram']:.2f} of the one core that it can use")
    print()
