"""What a fault is, as data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from faults.round import Round


@dataclass(frozen=True)
class Fault:
    """`ids` are those of the design's battery; `quick` and `full` are how often it is tried."""

    name: str
    ids: str
    title: str
    unit: str
    quick: int
    full: int
    run: Callable[[Round], Awaitable[None]]
    rate: float = 60.0  # updates a second
    people: int = 200
    bots: int = 4
    ordered: bool = True  # whether a change of order is a broken promise
