"""The picture of a trace."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from stack.spans import Span, services, whole
from stack.style import Style
from stack.waterfall import arrange, place, waterfall

PLAIN = Style(colour=False, unicode=True, width=100)
MS = 1_000_000


def span(name: str, service: str, start: float, end: float, parent: str | None = None, **changes: bool) -> Span:
    return Span("ab" * 16, name, parent, service, name, round(start * MS), round(end * MS), **changes)


WAY = [
    span("process", "dm", 4, 10, "send"),
    span("POST /webhook", "ingress", 0, 3),
    span("send", "ingress", 1, 3, "POST /webhook"),
    span("sendMessage", "dm", 6, 8, "process"),
    span("load", "dm", 4, 5, "process"),
]


def test_the_whole_picture() -> None:
    assert waterfall(WAY, Style(width=60)) == [
        "10.0 ms, 5 spans over 2 services, trace abababababababababab",
        "service  span                ms 0                         10",
        "ingress  POST /webhook      3.0 ████████",
        "ingress    send             2.0   ██████",
        "dm           process        6.0            █████████████████",
        "dm             load         1.0            ███",
        "dm             sendMessage  2.0                 ██████",
    ]


def test_parents_come_before_children_and_siblings_by_their_start() -> None:
    rows = [(row.span.name, row.depth) for row in arrange(WAY)]
    assert rows == [("POST /webhook", 0), ("send", 1), ("process", 2), ("load", 3), ("sendMessage", 3)]


def test_a_span_without_its_parent_stands_at_the_top() -> None:
    lonely = [span("late", "dm", 5, 6, "never exported"), span("root", "ingress", 0, 1)]
    assert [(row.span.name, row.depth) for row in arrange(lonely)] == [("root", 0), ("late", 0)]
    assert not whole(lonely)
    assert whole(WAY)


def test_bars_share_one_axis() -> None:
    lines = waterfall(WAY, PLAIN)
    begins = [line.index("█") for line in lines[2:]]
    assert begins[0] < begins[1] < begins[2] == begins[3] < begins[4]


def test_no_line_is_wider_than_the_terminal_however_narrow() -> None:
    for width in range(20, 200):
        assert max(len(line) for line in waterfall(WAY, Style(width=width))) <= max(width, 36)


def test_without_unicode_bars_are_number_signs() -> None:
    text = "\n".join(waterfall(WAY, Style(unicode=False, width=120)))
    assert "#" in text
    assert "█" not in text


def test_colours_only_where_asked_and_failures_in_red() -> None:
    failed = [span("boom", "dm", 0, 1, failed=True)]
    assert not re.search("\x1b", "\n".join(waterfall(failed, PLAIN)))
    assert "\x1b[31mboom" in "\n".join(waterfall(failed, Style(colour=True)))


def test_a_trace_of_one_instant_and_one_of_nothing() -> None:
    assert "█" in waterfall([span("now", "dm", 1, 1)], PLAIN)[2]
    assert waterfall([], PLAIN) == ["(no spans)"]
    assert services(WAY) == {"ingress", "dm"}


@given(
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.integers(1, 200),
)
def test_every_bar_is_visible_and_on_the_axis(offset: int, duration: int, rest: int, columns: int) -> None:
    first, size = place(offset, duration, offset + duration + rest, columns)
    assert size >= 1
    assert 0 <= first < first + size <= columns
