"""How long answers take."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from telegram_sim.errors import AdminError


@dataclass(frozen=True)
class Latency:
    """Drawn evenly between two bounds in milliseconds."""

    low: float = 0.0
    high: float = 0.0

    def draw(self, rng: Random) -> float:
        """Seconds."""
        return rng.uniform(self.low, self.high) / 1000

    def __str__(self) -> str:
        return f"{self.low:g}-{self.high:g}"


def read_latency(text: str) -> Latency:
    """Milliseconds: 50, or 20-80."""
    low, _, high = text.partition("-")
    try:
        latency = Latency(float(low), float(high or low))
    except ValueError as error:
        raise AdminError("latency must be like 50 or 20-80, in milliseconds") from error
    if not 0 <= latency.low <= latency.high:
        raise AdminError("latency must go from a smaller to a larger number")
    return latency
