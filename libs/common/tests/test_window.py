"""A slot is free again when its send has surely left Telegram's window, and no sooner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from random import Random

import pytest
from common.window import WINDOW, Seen, free_at
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 1, 1, tzinfo=UTC)
WAY = st.floats(min_value=0.001, max_value=2.0)


def seen(*round_trips: float) -> Seen:
    return reduce(lambda known, seconds: known + Seen(1, seconds, seconds), round_trips, Seen())


def test_a_few_calls_are_not_believed() -> None:
    assert seen(*[0.05] * 19).floor == timedelta()
    assert seen(*[0.05] * 20).floor == pytest.approx(timedelta(seconds=0.05), abs=timedelta(microseconds=1))


def test_the_more_calls_the_nearer_to_the_smallest() -> None:
    few, many = (seen(*[0.020, 0.080] * (n // 2)) for n in (100, 10_000))
    assert few.floor == timedelta(seconds=0.020 - 3 * 0.030 / 7)
    assert many.floor == timedelta(seconds=0.020 - 3 * 0.030 / 97)


def test_it_is_never_below_nothing() -> None:
    assert seen(0.001, *[0.9] * 30).floor == timedelta()


@pytest.mark.parametrize("calls", [20, 100, 1000])
def test_few_calls_of_two_ways_that_vary_by_themselves_are_rarely_taken_for_too_much(calls: int) -> None:
    """The smallest of so many sums lies above the sum of the smallest: the doubt covers nearly all."""
    rng, bold, by = Random(1), 0, 0.0  # noqa: S311 (repeatable)
    for _ in range(400):
        floor = seen(*(rng.uniform(0.010, 0.040) + rng.uniform(0.010, 0.040) for _ in range(calls))).floor
        bold += floor > timedelta(seconds=0.020)
        by = max(by, floor.total_seconds() - 0.020)
    assert bold / 400 < 0.05
    assert by < 0.06 / calls**0.5


@given(st.lists(st.tuples(WAY, WAY), min_size=100, max_size=120), st.data())
def test_whatever_the_ways_there_and_back_were_the_next_send_arrives_a_second_after(
    ways: list[tuple[float, float]], data: st.DataObject
) -> None:
    """The floor is a way there and a way back that were seen: neither can be shorter than its own smallest."""
    smallest_there, smallest_back = min(t for t, _ in ways), min(b for _, b in ways)
    _, back = data.draw(st.sampled_from(ways))
    arrived = START
    answered = arrived + timedelta(seconds=back)
    floor = min(seen(*map(sum, ways)).floor, timedelta(seconds=smallest_there + smallest_back))
    next_arrives = free_at(answered, floor) + timedelta(seconds=smallest_there)
    assert next_arrives >= arrived + WINDOW
