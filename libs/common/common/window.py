"""When a send has left Telegram's window, as far as can be known from outside. Pure.

Telegram counts at arrival, which is before the answer: one second after the answer is safe, and so is that less the
smallest
round trip, for the next request needs at least its way there, and this answer took at least its way back.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=1)
_ENOUGH = 20  # calls before the smallest is believed: a bold estimate draws 429s (performance.md, D)
_MARGIN = timedelta(milliseconds=1)  # for what two clocks may differ


class RoundTrips:
    """The smallest of the last few hundred."""

    def __init__(self, keep: int = 500) -> None:
        self._seen: deque[float] = deque(maxlen=keep)

    def add(self, seconds: float) -> None:
        """One answered call."""
        self._seen.append(seconds)

    @property
    def floor(self) -> timedelta:
        """Zero until enough were seen."""
        return timedelta(seconds=min(self._seen)) if len(self._seen) >= _ENOUGH else timedelta()


def free_at(answered: datetime, floor: timedelta) -> datetime:
    """When the slot of a send that was answered then may be used again."""
    return answered + WINDOW - floor + _MARGIN
