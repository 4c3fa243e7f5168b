"""The time line as an SVG: three panels over one axis of seconds, readable in light and in dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .timeline import Moment

WIDTH, PANEL, GAP, LEFT, RIGHT, TOP = 860, 130, 44, 64, 16, 34
INK: Final = "#6b7280"


@dataclass(frozen=True)
class Line:
    """One curve; `steps` for what jumps and does not glide."""

    name: str
    colour: str
    values: Sequence[float]
    steps: bool = False


def draw(moments: Sequence[Moment], marks: Sequence[tuple[float, str]] = ()) -> str:
    """`marks` are seconds with a word."""
    times = [each.second for each in moments]
    panels = (
        ("messages ready on group_message_queue", [Line("ready", "#d97706", [m.ready for m in moments])]),
        (
            "sender pods",
            [
                Line("wanted by KEDA", "#9ca3af", [m.wanted for m in moments], steps=True),
                Line("ready", "#2563eb", [m.working for m in moments], steps=True),
            ],
        ),
        (
            "messages a second",
            [
                Line("what Telegram would take of the bots with work", "#9ca3af", [m.ceiling for m in moments], True),
                Line("sent", "#059669", [m.sent for m in moments]),
            ],
        ),
    )
    height = TOP + len(panels) * (PANEL + GAP)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="12">',
        "<title>A broadcast in the cluster: queue, sender pods and sends, second by second</title>",
    ]
    last = max(times, default=1.0)
    for nth, (title, lines) in enumerate(panels):
        out += _panel(TOP + nth * (PANEL + GAP), title, times, lines, last)
    for second, word in marks:
        x = _x(second, last)
        out.append(f'<path d="M{x:.1f} {TOP - 8}V{height - GAP}" stroke="{INK}" stroke-dasharray="3 4" fill="none"/>')
        out.append(f'<text x="{x + 3:.1f}" y="{TOP - 16}" fill="{INK}">{word}</text>')
    return "\n".join([*out, "</svg>", ""])


def _x(second: float, last: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * second / last


def _panel(top: float, title: str, times: Sequence[float], lines: Sequence[Line], last: float) -> list[str]:
    most = max((value for line in lines for value in line.values), default=0) or 1
    most += most % 2  # half of it is a whole number too
    bottom = top + PANEL
    out = [f'<text x="{LEFT}" y="{top - 6}" fill="{INK}" font-weight="bold">{title}</text>']
    at = LEFT + 8 * len(title) + 10
    for line in lines:
        out.append(f'<text x="{at}" y="{top - 6}" fill="{line.colour}">— {line.name}</text>')
        at += 7 * len(line.name) + 40
    for value in (0, most / 2, most):
        y = bottom - PANEL * value / most
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{INK}" stroke-opacity=".25"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" fill="{INK}" text-anchor="end">{value:g}</text>')
    step = next(each for each in (10, 30, 60, 120, 300) if last / each <= 16)
    words = f'y="{bottom + 16}" fill="{INK}" text-anchor="middle"'
    out += [f'<text x="{_x(at, last):.1f}" {words}>{at} s</text>' for at in range(0, int(last) + 1, step)]
    for line in lines:
        path, before = [], None
        for second, value in zip(times, line.values, strict=True):
            x, y = _x(second, last), bottom - PANEL * value / most
            if line.steps and before is not None:
                path.append(f"{x:.1f} {before:.1f}")
            path.append(f"{x:.1f} {y:.1f}")
            before = y
        out.append(f'<path d="M{"L".join(path)}" stroke="{line.colour}" stroke-width="1.6" fill="none"/>')
    return out
