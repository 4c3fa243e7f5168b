"""How many connections a webhook's deliveries may use at once (W3)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from telegram_sim.clock import Clock

QUIET = 10  # seconds without a success after which connections open slowly (W3)
SLOW_START = (1, 2.0)  # new connections, and the seconds they are counted in, then (W3)
USUAL_START = (10, 0.5)  # the same while deliveries succeed


@dataclass
class Connections:
    """How many connections the real server would have open, and when it opened the latest."""

    open: int = 0
    busy: int = 0
    opened_at: deque[float] = field(default_factory=lambda: deque(maxlen=USUAL_START[0]))
    succeeded_at: float = float("-inf")

    def wait(self, now: float, most: int, clock: Clock) -> float:
        """Seconds until a connection is free for one more delivery; infinity until one ends."""
        if self.busy < self.open:
            return 0.0
        quiet = self.succeeded_at + clock.real(QUIET) < now
        if self.open >= (1 if quiet else most):
            return float("inf")
        count, span = SLOW_START if quiet else USUAL_START
        if len(self.opened_at) < count:
            return 0.0
        return max(self.opened_at[-count] + clock.real(span) - now, 0.0)

    def take(self, now: float) -> None:
        """Uses a free connection, or opens one."""
        if self.busy >= self.open:
            self.open += 1
            self.opened_at.append(now)
        self.busy += 1

    def release(self, *, kept: bool) -> None:
        """The delivery is over; the connection perhaps too."""
        self.busy -= 1
        if not kept:
            self.open -= 1
