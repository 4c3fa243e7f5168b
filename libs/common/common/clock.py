"""The only callers of the wall clock, and of the one that goes on while the machine is suspended: everything else is
given a time, asks the database or measures by the monotonic one.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

_UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux has both, and its monotonic one stands still


def utc_now() -> datetime:
    """An aware datetime; a naive one never enters the house."""
    return datetime.now(UTC)


def uptime() -> float:
    """Seconds since some moment, also those in which the machine was suspended: others' clocks went on meanwhile."""
    return time.clock_gettime(_UPTIME)
