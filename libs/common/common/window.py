"""When a send has left Telegram's window, as far as can be known from outside. Pure.

Telegram counts at arrival, which is before the answer: one second after the answer is safe. So is that less the
shortest way there and back together, for the next request needs at least its way there, and this answer took at least
its way back. The smallest round trip is as near to those as one can see, when there are enough of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

WINDOW = timedelta(seconds=1)
_ENOUGH = 100  # calls before the smallest is believed: a bold estimate draws 429s (performance.md, D)
_BUCKET = 60.0  # seconds
_BUCKETS = 30
_MARGIN = timedelta(milliseconds=1)  # for what timers and sums round


class RoundTrips:
    """The smallest of half an hour: that of a busy moment's few hundred calls would hold waits of our own."""

    def __init__(self) -> None:
        self._count = 0
        self._smallest: dict[int, float] = {}  # by minute

    def add(self, seconds: float, *, now: float) -> None:
        """One answered call; `now` by any clock that only goes on, in seconds."""
        self._count += 1
        minute = int(now / _BUCKET)
        if minute not in self._smallest:
            self._smallest = {m: least for m, least in self._smallest.items() if m > minute - _BUCKETS}
        self._smallest[minute] = min(seconds, self._smallest.get(minute, seconds))

    @property
    def floor(self) -> timedelta:
        """Zero until enough were seen."""
        return timedelta(seconds=min(self._smallest.values())) if self._count >= _ENOUGH else timedelta()


def free_at(answered: datetime, floor: timedelta) -> datetime:
    """When the slot of a send that was answered then may be used again."""
    return answered + WINDOW - floor + _MARGIN
