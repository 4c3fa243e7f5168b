"""The verdict on a bot and its webhook, and what is a bot's token at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from common.bot_health import ALLOWED_UPDATES, Health, judge
from common.bot_token import bot_of
from common.testing.builders import BOT_ID, FAKE_TOKEN

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
URL = "https://muster.example.com/api/webhooks/telegram"
FINE: dict[str, Any] = {"url": URL, "pending_update_count": 0, "allowed_updates": list(ALLOWED_UPDATES)}


def health(**info: Any) -> Health:
    return judge({"can_read_all_group_messages": True}, FINE | info, expected_url=URL, now=NOW)


def seconds_ago(n: int) -> int:
    return int(NOW.timestamp()) - n


def test_all_is_well() -> None:
    assert health() == Health("ours", [], 0, None, None, [], sees_all_messages=True)


@pytest.mark.parametrize(
    ("info", "problems"),
    [
        ({"allowed_updates": None}, ["updates_missing"]),
        ({"allowed_updates": ["message", 7]}, ["updates_missing"]),
        ({"pending_update_count": 9_999}, []),
        ({"pending_update_count": 10_000}, ["backlog"]),
        ({"last_error_date": seconds_ago(60), "last_error_message": "503"}, ["delivery_failing"]),
        ({"last_error_date": seconds_ago(3600), "last_error_message": "503"}, []),
        ({"url": ""}, ["webhook_missing"]),
        ({"url": None}, ["webhook_missing"]),
        ({"url": URL + "/"}, ["webhook_foreign"]),
    ],
)
def test_each_problem_has_its_word(info: dict[str, Any], problems: list[str]) -> None:
    assert health(**info).problems == problems


@pytest.mark.parametrize(("url", "webhook"), [("", "none"), (URL, "unknown")])
def test_where_nobody_knows_whose_it_should_be_no_webhook_is_a_problem(url: str, webhook: str) -> None:
    failing = FINE | {"url": url, "allowed_updates": ["message"], "last_error_message": "canary"}
    found = judge({}, failing, expected_url=None, now=NOW)
    assert (found.webhook, found.problems) == (webhook, [])
    assert "canary" not in str(found.facts())


def test_nothing_of_anothers_webhook_is_kept() -> None:
    found = health(url="https://x.example/canary", last_error_message="canary", last_error_date=seconds_ago(1))
    assert found.webhook == "foreign"
    assert "canary" not in str(found.facts())


def test_an_old_failure_is_still_told() -> None:
    found = health(last_error_date=seconds_ago(3600), last_error_message="x" * 1000)
    assert found.last_error == "x" * 200
    assert found.last_error_at == "2026-01-01T11:00:00+00:00"


@pytest.mark.parametrize("strange", [None, "x", -1, 2**37, 2**38, 2**39, 2**70, True, [], {}, 1.5])
def test_whatever_telegram_answers_there_is_a_verdict(strange: Any) -> None:
    for name in ("url", "pending_update_count", "last_error_date", "last_error_message", "allowed_updates"):
        assert health(**{name: strange}).webhook in {"ours", "foreign", "none"}
    assert judge({"can_read_all_group_messages": strange}, {}, expected_url=None, now=NOW).webhook == "none"


def test_a_token_names_its_bot() -> None:
    assert bot_of(FAKE_TOKEN) == BOT_ID


@pytest.mark.parametrize("wrong", ["", ":", " {}", "{}\n", "0{}", "٣{}", "9999999999{}", "{}!"])
def test_what_is_no_token_names_none(wrong: str) -> None:
    assert bot_of(wrong.format(FAKE_TOKEN)) is None
