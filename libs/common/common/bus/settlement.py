"""What becomes of a job that was not finished: a pure rule from the error to one action."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from common.errors import BrokerUnavailable, HandBack, Reject, RetryLater, StoreUnavailable
from common.queues import RETRY_STEPS, retry_step
from common.telemetry.redact import describe

MAX_ATTEMPTS = 8


@dataclass(frozen=True)
class HoldOn:
    """Nothing is wrong with the job: keep it and try again in place, so that its order is kept."""

    reason: str


@dataclass(frozen=True)
class Climb:
    """Onto the retry ladder, at this step."""

    step: timedelta
    attempt: int
    reason: str


@dataclass(frozen=True)
class Park:
    """Back to Postgres: longer than the ladder reaches, and never held unacked."""

    delay: timedelta
    attempt: int
    reason: str


@dataclass(frozen=True)
class Bury:
    """To the dead letters; `cause` is a short word for the metric."""

    cause: str
    reason: str


def settle(error: Exception, attempt: int) -> HoldOn | Climb | Park | Bury:
    """`attempt` counts from 1; a RetryLater that does not count leaves it as it is."""
    match error:
        case StoreUnavailable() | BrokerUnavailable() | HandBack():
            return HoldOn(describe(error))
        case Reject(reason=reason):
            return Bury("rejected", reason)
        case RetryLater(counts=False, delay=delay, reason=reason):
            return _later(delay, attempt, reason)
        case RetryLater(delay=delay, reason=reason) if attempt < MAX_ATTEMPTS:
            return _later(delay, attempt + 1, reason)
        case RetryLater(reason=reason):
            return Bury("attempts", f"{attempt} attempts, the last: {reason}")
        case _ if attempt < MAX_ATTEMPTS:
            # A surprise: a little longer each time, for it may be a passing one.
            step = RETRY_STEPS[min(attempt - 1, len(RETRY_STEPS) - 1)]
            return Climb(step, attempt + 1, describe(error))
        case _:
            return Bury("attempts", f"{attempt} attempts, the last: {describe(error)}")


def _later(delay: timedelta, attempt: int, reason: str) -> Climb | Park:
    step = retry_step(delay)
    return Park(delay, attempt, reason) if step is None else Climb(step, attempt, reason)
