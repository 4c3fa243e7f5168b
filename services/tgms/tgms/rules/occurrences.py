"""What becomes of a schedule's occurrences that are due: one of them runs, or none. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from common.cron import Cron

LATEST = timedelta(hours=1)  # after its time an occurrence is news no more
MOST = 1000  # occurrences in one decision: a schedule of every minute misses 1440 in a day
TOO_LATE, OVERTAKEN = "missed by more than an hour", "missed, and a later one took its place"


@dataclass(frozen=True, slots=True)
class Decision:
    """`next_at` is None where nothing comes any more; `skipped` are reasons with their occurrences."""

    run: datetime | None
    next_at: datetime | None
    skipped: dict[str, list[datetime]] = field(default_factory=dict)


def decide(cron: Cron, due: datetime, *, now: datetime, ends_at: datetime | None) -> Decision:
    """`due` has come. After an outage only the latest of those that were missed may run: groups get one message."""
    passed, next_at = [due], None
    for at in cron.after(due):
        if ends_at is not None and at > ends_at:
            break
        if at > now or len(passed) == MOST:
            next_at = at
            break
        passed.append(at)
    if next_at is not None and next_at <= now:
        return Decision(None, next_at, {TOO_LATE if now - next_at >= LATEST else OVERTAKEN: passed})
    *earlier, last = passed
    if now - last >= LATEST:
        return Decision(None, next_at, {TOO_LATE: passed})
    return Decision(last, next_at, {OVERTAKEN: earlier} if earlier else {})
