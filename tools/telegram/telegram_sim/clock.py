"""Time as the simulation sees it: Telegram's waits can pass faster than the wall's."""

from __future__ import annotations

import time


class Clock:
    """Divides Telegram's own delays by a scale; wall time stays what it is."""

    def __init__(self, time_scale: float = 1.0) -> None:
        self.time_scale = time_scale

    def now(self) -> float:
        """Unix seconds of the wall."""
        return time.time()

    def steady(self) -> float:
        """Seconds that never jump, for windows and schedules."""
        return time.monotonic()

    def real(self, seconds: float) -> float:
        """How long a simulated duration lasts on the wall."""
        return seconds / self.time_scale
