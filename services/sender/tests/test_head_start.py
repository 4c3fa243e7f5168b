"""The head start is as long as an intent takes, within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sender.rules.head_start import HeadStart


@given(st.lists(st.floats(0, 10), min_size=1))
def test_it_is_never_shorter_than_the_last_intent_took_nor_out_of_bounds(samples: list[float]) -> None:
    start = HeadStart()
    for sample in samples:
        start.add(sample)
        assert min(sample, 0.1) - 1e-6 <= start.value.total_seconds() <= 0.1  # whole microseconds
        assert start.value.total_seconds() >= 0.02


def test_one_slow_intent_is_forgotten_within_a_few_hundred() -> None:
    start = HeadStart()
    start.add(0.1)
    for _ in range(300):
        start.add(0.005)
    assert start.value.total_seconds() == 0.02
