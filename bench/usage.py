"""What processes used and hold, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")  # per second


@dataclass(frozen=True)
class Memory:
    """In MiB: `rss` counts shared pages in full, `pss` its share of them."""

    rss: float
    pss: float


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of all their threads, and of children they have waited for."""
    return sum(_ticks(pid) for pid in pids) / _TICK


def busy_seconds() -> float:
    """Of all cores together and of everybody on this machine, since its start: no idling, no waiting for disks."""
    numbers = list(map(int, Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]))
    return (sum(numbers) - numbers[3] - numbers[4]) / _TICK


def memory(pid: int) -> Memory:
    """Of one process, now."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    found = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return Memory(found["Rss"] / 1024, found["Pss"] / 1024)


def _ticks(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return 0  # a helper that has ended since
    return sum(map(int, text.rpartition(")")[2].split()[11:15]))
