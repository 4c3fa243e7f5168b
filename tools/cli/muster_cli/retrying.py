"""Whether a request is made again, and when: a pure rule, for a second try must not do a thing twice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_FIRST, _SLOWEST = 0.5, 5.0  # seconds between tries
_LONGEST = 60.0  # seconds that a Retry-After is waited for
_AWAY: Final = frozenset({502, 503, 504})


@dataclass(frozen=True)
class Lost:
    """No answer; `sent`: the request may have arrived."""

    sent: bool


@dataclass(frozen=True)
class Refusal:
    """An answer that is no success."""

    status: int
    code: str | None = None
    retry_after: float | None = None  # seconds


@dataclass(frozen=True)
class Policy:
    """`repeatable`: the effect happens once however often it is asked for; no further try `until` then, monotonic."""

    repeatable: bool
    tries: int = 5
    until: float = math.inf

    def wait(self, tried: int, outcome: Lost | Refusal) -> float | None:
        """Seconds until the next try; None where there is none."""
        if tried >= self.tries or not self._may(outcome):
            return None
        asked = outcome.retry_after if isinstance(outcome, Refusal) else None
        if asked is not None and asked > _LONGEST:
            return None
        return max(asked or 0.0, min(_FIRST * 2.0 ** (tried - 1), _SLOWEST))

    def _may(self, outcome: Lost | Refusal) -> bool:
        match outcome:
            case Lost(sent=sent):
                return self.repeatable or not sent
            case Refusal(status=429):
                return True  # refused at the door: nothing has happened
            case Refusal(status=409, code="idempotency_in_progress"):
                return True  # the try before this one is still at work
            case Refusal(status=status):
                return self.repeatable and status in _AWAY
