"""What came of the cases of the pacing bench, and how it is told."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import report
from bench.broadcasters import Shape
from bench.throttlers import MUSTER

_AIM, _AIM_GROUPS, _AIM_REPLIES = 0.97, 0.98, 0.95
_SIMULATOR_FULL, _MACHINE_FULL = 0.8, 0.9  # shares from which on waits are theirs


@dataclass(frozen=True)
class Case:
    """One contender in one shape."""

    who: str
    shape: Shape
    to_each: int  # sends to each group
    shares: Sequence[float]  # of each bot, or of each group where it has several sends
    steady: Sequence[float]  # of each bot, without the beginning and the end: of any 31 sends
    floods: int
    unsent: int
    span: float
    cpu: Mapping[str, float]  # µs a send, by part
    simulator: float  # of the one core that it can use
    machine: float  # of all cores, whoever used them
    ours: float  # of all cores, what is in `cpu`

    @property
    def worst(self) -> float:
        """Of the bots or groups."""
        return min(self.shares, default=0.0)

    @property
    def name(self) -> str:
        """For the JSON line."""
        groups = "_groups" if self.to_each > 1 else ""
        replies = "_replies" if self.shape.voices else ""
        senders = f"_senders{self.shape.senders}" if self.who == MUSTER else ""
        return f"{self.who}{groups}_bots{self.shape.bots}{senders}_{self.shape.limits}{replies}"

    @property
    def aim(self) -> float:
        """Muster's."""
        if self.to_each > 1:
            return _AIM_GROUPS
        return _AIM_REPLIES if self.shape.voices else _AIM

    @property
    def bound(self) -> str:
        """Who else it was that could not do more, as far as the load tells."""
        if self.simulator > _SIMULATOR_FULL:
            return f"; bound by the simulated Telegram, {self.simulator:.0%} of its core"
        if self.machine > _MACHINE_FULL:
            return f"; bound by the machine, {self.machine:.0%} of its cores busy, {self.ours:.0%} with this"
        return ""


def tell(cases: Sequence[Case], about: Mapping[str, str]) -> int:
    """1 when Muster left something unsent, or sent something twice."""
    print("\n".join(f"{name}: {value}" for name, value in about.items()) + "\n")
    unit = "group" if any(case.to_each > 1 for case in cases) else "bot"
    head = ("", "limits", "bots", "senders", "sends", f"share, worst {unit}", "median")
    print(report.table((*head, "steady", "429s", "seconds", "not sent"), [_row(c) for c in cases]), end="\n\n")
    parts = list(dict.fromkeys(part for case in cases for part in case.cpu))
    head = ("CPU µs a send", *parts, "simulator, of a core", "machine busy")
    print(report.table(head, [_cpu_row(case, parts) for case in cases]), end="\n\n")
    ours = [case for case in cases if case.who == MUSTER]
    for case in ours:
        text = f"{case.name}: {case.worst:.3f} of the best (aim {case.aim}), {case.floods} 429s (aim 0){case.bound}"
        print(report.aim(text, met=case.worst >= case.aim and case.floods == 0))
    figures: dict[str, object] = {}
    for case in cases:
        figures |= {f"{case.name}_share": round(case.worst, 3), f"{case.name}_429": case.floods}
        figures |= {f"{case.name}_steady": round(min(case.steady), 3)} if case.steady else {}
    print(report.last_line("pacing", figures, about))
    return 1 if any(case.unsent for case in ours) else 0


def _row(case: Case) -> list[str]:
    shape = case.shape
    senders = str(shape.senders) if case.who == MUSTER else "-"
    middle = statistics.median(case.shares) if case.shares else 0.0
    steady = f"{min(case.steady):.3f}" if case.steady else "-"
    sends = str(shape.sends) if case.to_each == 1 else f"{case.to_each} a group"
    numbers = [shape.limits, str(shape.bots), senders, sends]
    shares = [f"{case.worst:.3f}", f"{middle:.3f}", steady]
    return [case.who, *numbers, *shares, str(case.floods), f"{case.span:.1f}", str(case.unsent)]


def _cpu_row(case: Case, parts: Sequence[str]) -> list[str]:
    used = (f"{case.cpu[part]:,.0f}" if part in case.cpu else "-" for part in parts)
    return [case.name, *used, f"{case.simulator:.2f}", f"{case.machine:.0%}"]
