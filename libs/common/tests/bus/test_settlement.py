"""The rule from an error to what becomes of the job."""

from __future__ import annotations

from datetime import timedelta

import pytest
from common.bus.settlement import MAX_ATTEMPTS, Bury, Climb, HoldOn, Park, settle
from common.errors import BrokerUnavailable, LeaseLost, Reject, RetryLater, StoreUnavailable
from common.queues import RETRY_STEPS, retry_step
from hypothesis import example, given
from hypothesis import strategies as st

attempts = st.integers(1, 20)
delays = st.timedeltas(timedelta(), timedelta(days=2))
errors = st.one_of(
    st.builds(RetryLater, delays, st.just("why"), counts=st.booleans()),
    st.builds(Reject, st.just("why")),
    st.builds(StoreUnavailable),
    st.builds(BrokerUnavailable),
    st.builds(LeaseLost),
    st.builds(ValueError, st.just("canary")),
)


@given(errors, attempts)
def test_no_job_comes_back_too_early_or_for_ever(error: Exception, attempt: int) -> None:
    match settle(error, attempt):
        case Climb(step=step, attempt=following) | Park(delay=step, attempt=following):
            assert following in {attempt, attempt + 1}
            assert following <= max(MAX_ATTEMPTS, attempt)
            if isinstance(error, RetryLater):
                assert step >= error.delay
        case HoldOn():
            assert isinstance(error, StoreUnavailable | BrokerUnavailable)
        case Bury():
            assert isinstance(error, Reject) or attempt >= MAX_ATTEMPTS


@given(errors, attempts)
def test_foreign_texts_are_never_repeated(error: Exception, attempt: int) -> None:
    assert "canary" not in repr(settle(error, attempt))


@given(attempts)
def test_what_was_not_tried_uses_no_attempt_up(attempt: int) -> None:
    action = settle(RetryLater(timedelta(seconds=3), "flood", counts=False), attempt)
    assert action == Climb(timedelta(seconds=5), attempt, "flood")


@given(delays)
@example(RETRY_STEPS[0])
@example(RETRY_STEPS[-1])
@example(RETRY_STEPS[-1] + timedelta(microseconds=1))
def test_the_smallest_step_that_is_not_too_early(delay: timedelta) -> None:
    step = retry_step(delay)
    fitting = [each for each in RETRY_STEPS if each >= delay]
    assert step == (min(fitting) if fitting else None)


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1), (2, 5), (3, 30), (4, 120), (5, 600), (6, 600), (MAX_ATTEMPTS - 1, 600)]
)
def test_surprises_are_tried_again_a_little_later_each_time(attempt: int, seconds: int) -> None:
    assert settle(KeyError("x"), attempt) == Climb(timedelta(seconds=seconds), attempt + 1, "KeyError")


@pytest.mark.parametrize("error", [KeyError("x"), RetryLater(timedelta(seconds=1), "why")])
def test_the_last_attempt_ends_in_the_dead_letters(error: Exception) -> None:
    action = settle(error, MAX_ATTEMPTS)
    assert isinstance(action, Bury)
    assert action.cause == "attempts"
    assert action.reason.startswith(f"{MAX_ATTEMPTS} attempts")
