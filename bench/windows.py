"""How near a row of sends came to the shortest that Telegram's limits allow. Pure."""

from __future__ import annotations

from collections.abc import Sequence

PER_SECOND = 30  # of a bot
PER_MINUTE = 20  # to a group, and one a second


def share(times: Sequence[float]) -> float:
    """Of a bot, to groups that are each due once: the shortest span for so many, divided by the span needed."""
    return _of((len(times) - 1) // PER_SECOND, times)


def group_share(times: Sequence[float]) -> float:
    """Of sends to one group: the best is twenty at one a second, and again when the first of them is a minute old."""
    minutes, rest = divmod(len(times) - 1, PER_MINUTE)
    return _of(60 * minutes + rest, times)


def steady(times: Sequence[float]) -> float:
    """A second, divided by what a bot's 31 sends in a row take on average: without beginning and end."""
    gaps = [later - earlier for earlier, later in zip(times, times[PER_SECOND:], strict=False)]
    return len(gaps) / sum(gaps) if gaps else 0.0


def _of(best: float, times: Sequence[float]) -> float:
    return best / (times[-1] - times[0]) if best else 0.0  # too few to tell
