"""When a send has left Telegram's window, as far as can be known from outside. Pure.

Telegram counts at arrival, which is before the answer: one second after the answer is safe. So is that less the
shortest way there and back together, for the next request needs at least its way there, and this answer took at least
its way back. The smallest round trip is as near to those as one can see, and the more calls there were, the nearer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=1)
_ENOUGH = 20  # calls before anything is believed of them
_DOUBT = 3.0  # see Seen.floor
_MARGIN = timedelta(microseconds=100)  # for what sums of times round


@dataclass(frozen=True, slots=True)
class Seen:
    """Round trips of answered calls, in seconds."""

    calls: int = 0
    total: float = 0.0
    smallest: float = math.inf

    def __add__(self, other: Seen) -> Seen:
        """Both together."""
        return Seen(self.calls + other.calls, self.total + other.total, min(self.smallest, other.smallest))

    @property
    def floor(self) -> timedelta:
        """Below every way there and back, as far as the calls tell; zero until there are some.

        Of two ways that each vary by themselves few calls have both of them short: with n calls that are on average
        s above the shortest possible, the smallest is still above it by more than 3 s / √n in one case of ninety. That
        average counts from the shortest possible, and not from the smallest seen: so √n less 3.
        """
        if self.calls < _ENOUGH:
            return timedelta()
        above = self.total / self.calls - self.smallest
        return timedelta(seconds=max(0.0, self.smallest - _DOUBT * above / (math.sqrt(self.calls) - _DOUBT)))


def free_at(answered: datetime, floor: timedelta) -> datetime:
    """When the slot of a send that was answered then may be used again."""
    return answered + WINDOW - floor + _MARGIN
