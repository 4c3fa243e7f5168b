"""When the last message of a broadcast or a revision will be done, as far as its bots' rates and hours tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import ceil
from typing import Final

_NONE: Final[Mapping[int, float]] = {}


def seconds(  # noqa: PLR0913 (what an end follows from)
    waiting: Mapping[int, int],
    ahead: Mapping[int, int],
    rates: Mapping[int, int],
    *,
    begins: datetime,
    now: datetime,
    quiet: Mapping[int, float] = _NONE,
    opens: float = 0.0,
    deep: int = 1,
) -> int:
    """From now; the slowest bot decides. `ahead` is what is done before its last one, `quiet` for how many seconds it
    sends nothing; in `opens` seconds the last window does. A group gets up to `deep` of what waits, one a second.
    """
    delay = max(0.0, (begins - now).total_seconds())
    ends = [
        max(delay, quiet.get(bot, 0.0))
        + max(ceil((n + ahead.get(bot, 0)) / rates[bot]), ceil(n / (rates[bot] * deep)) * deep)
        for bot, n in waiting.items()
        if n
    ]
    return round(max([delay, opens, *ends]))
