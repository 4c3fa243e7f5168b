"""A slot is free again when its send has surely left Telegram's window, and no sooner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from common.window import WINDOW, RoundTrips, free_at
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 1, 1, tzinfo=UTC)
WAY = st.floats(min_value=0.001, max_value=2.0)


def test_a_few_calls_are_not_believed() -> None:
    trips = RoundTrips()
    for _ in range(99):
        trips.add(0.05, now=0)
    assert trips.floor == timedelta()
    trips.add(0.04, now=0)
    assert trips.floor == timedelta(seconds=0.04)


def test_a_busy_moment_is_not_taken_for_a_slower_network_and_a_slower_network_is_noticed_in_time() -> None:
    trips = RoundTrips()
    for _ in range(100):
        trips.add(0.01, now=0)
    for second in range(29 * 60):
        trips.add(0.09, now=60 + second)
    assert trips.floor == timedelta(seconds=0.01)
    trips.add(0.09, now=30 * 60)
    assert trips.floor == timedelta(seconds=0.09)


@given(st.lists(st.tuples(WAY, WAY), min_size=100, max_size=120), st.data())
def test_whatever_the_ways_there_and_back_were_the_next_send_arrives_a_second_after(
    ways: list[tuple[float, float]], data: st.DataObject
) -> None:
    """The floor is a way there and a way back that were seen: neither can be shorter than its own smallest."""
    trips = RoundTrips()
    for there, back in ways:
        trips.add(there + back, now=0)
    smallest_there, smallest_back = min(t for t, _ in ways), min(b for _, b in ways)
    there, back = data.draw(st.sampled_from(ways))
    arrived = START
    answered = arrived + timedelta(seconds=back)
    floor = min(trips.floor, timedelta(seconds=smallest_there + smallest_back))
    next_arrives = free_at(answered, floor) + timedelta(seconds=smallest_there)
    assert next_arrives >= arrived + WINDOW
