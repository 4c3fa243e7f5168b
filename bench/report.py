"""How a bench tells what it found: a table for people, and one line of JSON for comparisons."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be, the first to the left."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [[cell.rjust(width) for cell, width in zip(row, widths, strict=True)] for row in (head, *rows)]
    for line, row in zip(lines, (head, *rows), strict=True):
        line[0] = row[0].ljust(widths[0])
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("  ".join(line) for line in lines)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """`median (least-most)`."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def aim(text: str, *, met: bool) -> str:
    """One line of the list of aims."""
    return f"  {'met    ' if met else 'NOT MET'}  {text}"


def machine(packages: Sequence[str]) -> dict[str, str]:
    """What the figures were measured on."""
    versions = {name: version(name) for name in packages}
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load_before": f"{os.getloadavg()[0]:.2f}",
        "kernel": platform.release(),
        "python": platform.python_version(),
    } | versions


def last_line(bench: str, figures: Mapping[str, object], about: Mapping[str, str]) -> str:
    """The last line of every bench's output."""
    return json.dumps({"bench": bench, **figures, "machine": dict(about)})


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
