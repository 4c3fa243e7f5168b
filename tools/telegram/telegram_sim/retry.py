"""When a failed webhook delivery is tried again (W5)."""

from __future__ import annotations

from dataclasses import dataclass

MAX_RETRY_AFTER = 3600  # seconds, W5
CAP = 60  # seconds; the cap of one update's delay is drawn between this and twice this, W5


@dataclass(frozen=True)
class RetryState:
    """An update's memory of its failures."""

    failures: int = 0
    delay: int = 1  # seconds, doubled from the second failure on


def next_try(state: RetryState, retry_after: int, *, cap: int) -> tuple[RetryState, int]:
    """The new state and the seconds to wait: 0, 2, 4, 8 … up to the cap, or what Retry-After says."""
    asked = min(max(retry_after, 0), MAX_RETRY_AFTER)
    if asked or state.failures == 0:
        return RetryState(state.failures + 1, state.delay), asked
    delay = min(cap, state.delay * 2)
    return RetryState(state.failures + 1, delay), delay
