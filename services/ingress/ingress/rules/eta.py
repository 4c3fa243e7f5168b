"""When the last message of a broadcast or a revision will be done, as far as its bots' rates tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime


def seconds(
    waiting: Mapping[int, int], ahead: Mapping[int, int], rates: Mapping[int, int], *, begins: datetime, now: datetime
) -> int:
    """From now; the slowest bot decides. `ahead` is what is done before its last one."""
    slowest = max((-(-(n + ahead.get(bot, 0)) // rates[bot]) for bot, n in waiting.items() if n), default=0)
    return max(0, round((begins - now).total_seconds())) + slowest
