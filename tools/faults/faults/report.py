"""What a run says: a table for people, and one line of JSON for comparing runs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faults.checker import Verdict

COLUMNS = (
    "fault", "id", "trials", "attempted", "2xx", "effects", "lost", "doubled", "in flight", "unknown",
    "unexpected", "order", "recovery p50", "p95", "max", "result",
)  # fmt: skip


COUNTS = (
    "attempted", "acknowledged", "effects", "lost", "doubled", "doubled_in_flight",
    "unexpected", "recovered", "unknown", "disordered",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """One fault's verdict, its own figures and what it demanded beside the promises that hold for all."""

    fault: str
    ids: str
    trials: int
    seconds: float
    verdict: Verdict
    figures: Mapping[str, float]
    broken: Sequence[str]

    @property
    def passed(self) -> bool:
        """No promise broken."""
        return not self.verdict.violations and not self.broken

    def as_json(self) -> dict[str, Any]:
        """Flat figures with their names."""
        verdict = self.verdict
        counts = {name: getattr(verdict, name) for name in COUNTS}
        p50, p95, most = quantiles(verdict.recovery)
        recovery = {"recovery_p50_s": p50, "recovery_p95_s": p95, "recovery_max_s": most}
        head = {"fault": self.fault, "ids": self.ids, "trials": self.trials, "seconds": round(self.seconds, 1)}
        return head | counts | recovery | dict(self.figures) | {"passed": self.passed}


def broken_off(fault: str, ids: str, trials: int, seconds: float, why: str) -> Outcome:
    """A run that came to no verdict."""
    nothing = Verdict(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, [])
    return Outcome(fault, ids, trials, seconds, nothing, {}, [f"the run broke off: {why}"])


def quantiles(values: Sequence[float], shares: Sequence[float] = (0.5, 0.95, 1.0)) -> list[float | None]:
    """By nearest rank, as p50, p95 and the largest; None without values."""
    ranked = sorted(values)
    return [round(ranked[max(0, math.ceil(share * len(ranked)) - 1)], 3) if ranked else None for share in shares]


def table(outcomes: Sequence[Outcome], *, markdown: bool = False) -> str:
    """One line a fault, aligned."""
    rows = [COLUMNS, *(tuple(map(str, _row(outcome))) for outcome in outcomes)]
    widths = [max(len(row[nth]) for row in rows) for nth in range(len(COLUMNS))]
    lines = [_line(row, widths, bar="|" if markdown else " ") for row in rows]
    rule = _line(tuple("-" * width for width in widths), widths, bar="|" if markdown else " ")
    return "\n".join([lines[0], rule, *lines[1:]])


def json_line(outcomes: Sequence[Outcome], context: Mapping[str, Any]) -> str:
    """The last line of a run."""
    total = {"passed": all(outcome.passed for outcome in outcomes), "faults": [o.as_json() for o in outcomes]}
    return json.dumps({"run": "faults", **context, **total}, ensure_ascii=False, separators=(",", ":"))


def _row(outcome: Outcome) -> tuple[object, ...]:
    verdict = outcome.verdict
    recovery = [_seconds(value) for value in quantiles(verdict.recovery)]
    return (
        outcome.fault, outcome.ids, outcome.trials, verdict.attempted, verdict.acknowledged, verdict.effects,
        verdict.lost, verdict.doubled, verdict.doubled_in_flight, verdict.unknown, verdict.unexpected,
        verdict.disordered, *recovery, "passed" if outcome.passed else "FAILED",
    )  # fmt: skip


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _line(cells: Sequence[str], widths: Sequence[int], *, bar: str) -> str:
    padded = [
        f"{cell:<{width}}" if nth < 2 else f"{cell:>{width}}"
        for nth, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    text = f" {bar} ".join(padded)
    return f"| {text} |" if bar == "|" else text.rstrip()
