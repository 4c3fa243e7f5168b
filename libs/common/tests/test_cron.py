"""Cron's dates in time zones, and what the clocks' changes do to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from common.cron import Cron, CronError, zone
from hypothesis import given
from hypothesis import strategies as st

BERLIN = ZoneInfo("Europe/Berlin")


def dates(expression: str, after: str, n: int, timezone: str = "Europe/Berlin") -> list[str]:
    """Local ones, with their offsets."""
    cron = Cron(expression, timezone)
    start = datetime.fromisoformat(after).replace(tzinfo=cron.zone)
    return [at.astimezone(cron.zone).isoformat()[:-3] for at in islice(cron.after(start), n)]


def test_a_time_that_does_not_exist_comes_as_soon_as_the_clock_has_gone_forward() -> None:
    assert dates("30 2 * * *", "2027-03-27T12:00", 3) == [
        "2027-03-28T03:00:00+02", "2027-03-29T02:30:00+02", "2027-03-30T02:30:00+02",
    ]  # fmt: skip
    assert dates("0,30 2,3 * * *", "2027-03-27T12:00", 3) == [
        "2027-03-28T03:00:00+02", "2027-03-28T03:30:00+02", "2027-03-29T02:00:00+02",
    ]  # fmt: skip


def test_a_time_that_exists_twice_comes_once_the_first_time() -> None:
    assert dates("30 2 * * *", "2027-10-30T12:00", 2) == ["2027-10-31T02:30:00+02", "2027-11-01T02:30:00+01"]


def test_begun_between_the_two_the_second_is_not_taken_for_the_first() -> None:
    second = datetime(2027, 10, 31, 1, 15, tzinfo=UTC)  # 02:15 for the second time
    assert next(Cron("30 2 * * *", "Europe/Berlin").after(second)) == datetime(2027, 11, 1, 1, 30, tzinfo=UTC)


def test_what_comes_every_so_often_follows_real_time() -> None:
    assert dates("*/30 * * * *", "2027-03-28T01:10", 3) == [
        "2027-03-28T01:30:00+01", "2027-03-28T03:00:00+02", "2027-03-28T03:30:00+02",
    ]  # fmt: skip
    assert dates("30 * * * *", "2027-10-31T01:40", 3) == [
        "2027-10-31T02:30:00+02", "2027-10-31T02:30:00+01", "2027-10-31T03:30:00+01",
    ]  # fmt: skip


def test_nine_in_the_morning_is_nine_all_year_round() -> None:
    cron = Cron("0 9 * * *", "Europe/Berlin")
    year = list(islice(cron.after(datetime(2027, 1, 1, tzinfo=UTC)), 365))
    assert {at.astimezone(BERLIN).hour for at in year} == {9}
    assert {at.hour for at in year} == {7, 8}


def test_a_zone_whose_midnight_does_not_exist() -> None:
    found = dates("0 0 * * *", "2026-09-05T12:00", 2, "America/Santiago")
    assert found == ["2026-09-06T01:00:00-03", "2026-09-07T00:00:00-03"]


@given(
    st.sampled_from(["30 2 * * *", "*/20 * * * *", "0 */3 * * *", "15,45 1-3 * * *", "0 0 * * 0", "59 23 L * *"]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"]),
    st.integers(1_704_067_200, 1_893_456_000),  # of the years 2024 to 2029,
)
def test_dates_only_go_forward_and_do_not_depend_on_where_one_begins(
    expression: str, timezone: str, second: int
) -> None:
    start = datetime.fromtimestamp(second, UTC)
    cron = Cron(expression, timezone)
    first, second, third = islice(cron.after(start), 3)
    assert start < first < second < third
    assert list(islice(cron.after(first), 2)) == [second, third]
    assert next(cron.after(first - timedelta(seconds=1))) == first


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "60 * * * *", "@daily", "a b c d e", "0 0 31 2 *", "*/0 * * * *", "0 0 L-1 * *",
     "* * * * 5L/2", "0-" + "9" * 90 + " * * * *", "* " * 60, "1,,2 * * * *", "0 0 * * 8", "0 25 * * *"],
)  # fmt: skip
def test_what_can_not_be_read_or_never_comes_is_refused(expression: str) -> None:
    with pytest.raises(CronError):
        Cron(expression, "UTC")


@pytest.mark.parametrize("name", ["", "Europe", "localtime", "../etc/passwd", "europe/berlin", "CET6", "a" * 999, "é"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(CronError, match="no name of the time zone database"):
        zone(name)


@given(st.text(max_size=30))
def test_no_text_surprises(text: str) -> None:
    try:
        Cron(text, text)
    except CronError:
        return
