"""When others may settle what a process left behind: it was silent, and nothing else explains the silence."""

from __future__ import annotations

from datetime import timedelta

LATE = timedelta(seconds=5)  # after a slot: its job is lost
SILENT = timedelta(seconds=8)  # a sender beats every 2
_GAP = 3.0  # seconds between rounds: nobody could beat while the database was away
_STEADY = 5.0  # seconds of rounds after such a gap, in which whoever lives has beaten again


class Steadiness:
    """Of a loop that has a round each second: an outage silences the living, too."""

    def __init__(self) -> None:
        self._ended = self._since = float("-inf")  # the last round that went well, and since when there was no gap

    def begins(self, now: float) -> bool:
        """False until there were no gaps for a while, however long rounds take; `now` is monotonic, in seconds."""
        if now - self._ended > _GAP:
            self._since = now
        return now - self._since >= _STEADY

    def ended(self, now: float) -> None:
        """It went well."""
        self._ended = now
