"""When others may settle what a process left behind: it was silent, and nothing else explains the silence."""

from __future__ import annotations

from datetime import timedelta

LATE = timedelta(seconds=5)  # after a slot: its job is lost
SILENT = timedelta(seconds=8)  # a sender beats every 2
_GAP = 3.0  # seconds between rounds: nobody could beat while the database was away
_STEP = 1.0  # seconds that the database's clock goes astray from ours: all beats are old at once
_STEADY = 5.0  # seconds of rounds after such a gap, in which whoever lives has beaten again


class Steadiness:
    """Of a loop that has a round each second: an outage silences the living, too, and so does a clock that is set."""

    def __init__(self) -> None:
        self._ended = self._since = float("-inf")  # the last round that went well, and since when there was no gap
        self._ahead = 0.0

    def begins(self, now: float, ahead: float) -> bool:
        """False until there were no gaps for a while, however long rounds take; `now` is monotonic, in seconds, and
        the database's clock is `ahead` of it by as many as a moment ago, unless it was set or we were suspended.
        """
        if now - self._ended > _GAP or abs(ahead - self._ahead) > _STEP:
            self._since = now
        self._ahead = ahead
        return now - self._since >= _STEADY

    def ended(self, now: float) -> None:
        """It went well."""
        self._ended = now
