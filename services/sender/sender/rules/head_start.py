"""How long before its slot a send begins to write its intent: as long as that takes lately. Pure."""

from __future__ import annotations

from datetime import timedelta

_LEAST, _MOST = 0.02, 0.1  # seconds; jobs are on the queue 150 ms before their slots
_FADES = 0.98  # a sample


class HeadStart:
    """Follows the slowest of the last few at once, and forgets it slowly: a late intent costs a part of a slot.

    Not longer than needed: what has its intent and is not sent yet ends `unknown` at a kill.
    """

    def __init__(self) -> None:
        self._seconds = _LEAST

    def add(self, seconds: float) -> None:
        """One intent took so long."""
        self._seconds = min(_MOST, max(seconds, self._seconds * _FADES, _LEAST))

    @property
    def value(self) -> timedelta:
        """For the next one."""
        return timedelta(seconds=self._seconds)
