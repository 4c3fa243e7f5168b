"""A trace as lines of text: each span with service, name, milliseconds and a bar on a common time axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stack.spans import Span, services
from stack.style import Style

NARROWEST_BAR: Final = 12  # columns
WIDEST_BAR: Final = 60
INDENT: Final = "  "
GAPS: Final = 5  # columns between the four columns: 2 + 2 + 1


@dataclass(frozen=True)
class Row:
    """One span at its place in the tree."""

    span: Span
    depth: int

    @property
    def label(self) -> str:
        """Its name, indented below its parent's."""
        return INDENT * self.depth + self.span.name


def waterfall(spans: Sequence[Span], style: Style) -> list[str]:
    """The whole picture; no line is wider than the style's width, however narrow that is."""
    if not spans:
        return ["(no spans)"]
    rows = list(arrange(spans))
    begin, end = min(span.start for span in spans), max(span.end for span in spans)
    columns = _columns(rows, style.width)
    lines = [_title(spans, end - begin), _axis(columns, (end - begin) / 1e6)]
    lines += [_line(row, columns, begin, end - begin, style) for row in rows]
    return [style.paint(lines[0][: style.width], "bold"), style.paint(lines[1], "dim"), *lines[2:]]


def arrange(spans: Sequence[Span]) -> Iterator[Row]:
    """Parents before children, siblings by their start; a span whose parent is missing stands at the top."""
    known = {span.span_id for span in spans}
    children: dict[str | None, list[Span]] = {}
    for span in sorted(spans, key=lambda each: (each.start, -each.end)):
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    stack = [Row(span, 0) for span in reversed(children.get(None, []))]
    while stack:
        row = stack.pop()
        yield row
        stack += [Row(child, row.depth + 1) for child in reversed(children.pop(row.span.span_id, []))]


@dataclass(frozen=True)
class Columns:
    """Widths; a bar of zero columns is left out."""

    service: int
    name: int
    time: int
    bar: int


def _columns(rows: Sequence[Row], width: int) -> Columns:
    service = min(max(len(row.span.service) for row in rows), 12)
    time = max(len(_time(row.span)) for row in rows)
    wanted = max(len(row.label) for row in rows)
    room = max(width - service - time - GAPS, 8)
    if room < NARROWEST_BAR + 16:
        return Columns(service, max(min(wanted, room), 1), time, 0)
    name = min(wanted, room - NARROWEST_BAR)
    return Columns(service, name, time, min(room - name, WIDEST_BAR))


def _line(row: Row, columns: Columns, begin: int, length: int, style: Style) -> str:
    span = row.span
    service = style.service(span.service, _fit(span.service, columns.service))
    name = style.paint(_fit(row.label, columns.name), "red" if span.failed else None)
    text = f"{service}  {name}  {_time(span):>{columns.time}}"
    if not columns.bar:
        return text
    offset, size = place(span.start - begin, span.end - span.start, length, columns.bar)
    bar = ("█" if style.unicode else "#") * size
    return f"{text} {' ' * offset}{style.service(span.service, bar)}"


def place(offset: int, duration: int, length: int, columns: int) -> tuple[int, int]:
    """Where a bar begins and how many columns it takes: at least one, never beyond the axis."""
    scale = columns / max(length, 1)
    first = min(int(offset * scale), columns - 1)
    last = min(max(round((offset + duration) * scale), first + 1), columns)
    return first, last - first


def _title(spans: Sequence[Span], length: int) -> str:
    count = len(services(spans))
    many = f"{len(spans)} span{'s' * (len(spans) != 1)} over {count} service{'s' * (count != 1)}"
    return f"{length / 1e6:.1f} ms, {many}, trace {spans[0].trace_id}"


def _axis(columns: Columns, milliseconds: float) -> str:
    head = f"{_fit('service', columns.service)}  {_fit('span', columns.name)}  {'ms':>{columns.time}}"
    if not columns.bar:
        return head
    end = f"{milliseconds:.0f}"
    return f"{head} 0{end:>{columns.bar - 1}}"


def _time(span: Span) -> str:
    return f"{span.milliseconds:.1f}"


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: max(width - 1, 0)] + "…"[:width]
