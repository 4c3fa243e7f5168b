"""When others may settle what a process left behind: it was silent, and nothing else explains the silence."""

from __future__ import annotations

from datetime import timedelta

LATE = timedelta(seconds=5)  # after a slot: its job is lost
SILENT = timedelta(seconds=8)  # a sender beats every 2
_GAP = 3.0  # seconds without a round: nobody could beat while the database was away
_STEADY = 5.0  # seconds of rounds after such a gap, in which whoever lives has beaten again


class Steadiness:
    """Of a loop that has a round each second: an outage silences the living, too."""

    def __init__(self) -> None:
        self._last = self._since = float("-inf")  # the last round, and since when there was no gap

    def after_round(self, now: float) -> bool:
        """False until the rounds have been regular for a while; `now` is monotonic, in seconds."""
        if now - self._last > _GAP:
            self._since = now
        self._last = now
        return now - self._since >= _STEADY
