"""Which occurrences run, which are skipped, by how late they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from common.cron import Cron
from tgms.rules.occurrences import LATEST, MOST, OVERTAKEN, TOO_LATE, decide

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOURLY = Cron("0 * * * *", "UTC")


def test_one_that_is_on_time_runs() -> None:
    found = decide(HOURLY, NOON, now=NOON + timedelta(seconds=1), ends_at=None)
    assert (found.run, found.next_at, found.skipped) == (NOON, NOON + timedelta(hours=1), {})


@pytest.mark.parametrize(("minutes", "runs"), [(59, True), (60, False), (61, False)])
def test_one_that_was_missed_runs_within_the_hour(minutes: int, runs: bool) -> None:  # noqa: FBT001 (a case's answer)
    cron = Cron("0 12 * * *", "UTC")
    found = decide(cron, NOON, now=NOON + timedelta(minutes=minutes), ends_at=None)
    assert (found.run, found.skipped) == ((NOON, {}) if runs else (None, {TOO_LATE: [NOON]}))
    assert found.next_at == NOON + timedelta(days=1)


def test_of_several_that_were_missed_only_the_latest_runs() -> None:
    cron = Cron("*/10 * * * *", "UTC")
    found = decide(cron, NOON, now=NOON + timedelta(minutes=25), ends_at=None)
    assert found.run == NOON + timedelta(minutes=20)
    assert found.skipped == {OVERTAKEN: [NOON, NOON + timedelta(minutes=10)]}
    assert found.next_at == NOON + timedelta(minutes=30)


def test_nothing_comes_after_the_end() -> None:
    found = decide(HOURLY, NOON, now=NOON + timedelta(minutes=1), ends_at=NOON + timedelta(minutes=59))
    assert (found.run, found.next_at) == (NOON, None)


def test_a_long_outage_is_worked_off_in_parts_and_only_the_end_of_it_runs() -> None:
    cron, now = Cron("* * * * *", "UTC"), NOON + timedelta(minutes=2 * MOST, seconds=1)
    due: datetime | None = NOON
    seen: list[datetime] = []
    runs: list[datetime] = []
    while due is not None and due <= now:
        found = decide(cron, due, now=now, ends_at=None)
        missed = [at for each in found.skipped.values() for at in each]
        seen += missed + ([found.run] if found.run else [])
        runs += [found.run] if found.run else []
        due = found.next_at
    assert seen == [NOON + timedelta(minutes=n) for n in range(2 * MOST + 1)]
    assert runs == [now - timedelta(seconds=1)]
    assert now - runs[0] < LATEST


def test_in_the_nights_when_clocks_change_a_daily_message_comes_once() -> None:
    """The brain looks every second through both nights, and each night has one run."""
    cron = Cron("30 2 * * *", "Europe/Berlin")
    for eve in (datetime(2027, 3, 27, 12, tzinfo=UTC), datetime(2027, 10, 30, 12, tzinfo=UTC)):
        due: datetime | None = next(cron.after(eve))
        runs = []
        for second in range(0, 36 * 3600, 30):
            now = eve + timedelta(seconds=second)
            if due is not None and due <= now:
                found = decide(cron, due, now=now, ends_at=None)
                runs.append(found.run)
                due = found.next_at
        assert len(runs) == 1
    assert runs == [datetime(2027, 10, 31, 0, 30, tzinfo=UTC)]
