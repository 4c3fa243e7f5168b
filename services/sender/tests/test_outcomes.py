"""Table E of telegram.md, row by row: what an attempt's end means for delivery, group, bot and broadcast."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from common.telegram import errors
from common.telegram.errors import TelegramError
from sender.rules.outcomes import Decision, decide

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, Decision("sent")),
        (errors.SentDeleted(), Decision("sent", "sent_deleted")),
        (errors.Flood(7), Decision("pending", "flood", 7 * SECOND, chat_flood=7 * SECOND, unsent=True)),
        (errors.Flood(60), Decision("pending", "flood", 60 * SECOND, bot_flood=60 * SECOND, unsent=True)),
        (errors.Flood(10_072), Decision("pending", "flood", 10_072 * SECOND, bot_flood=10_072 * SECOND, unsent=True)),
        (errors.Held(70), Decision("pending", "flood", 70 * SECOND, unsent=True)),
        (errors.NotSent(), Decision("pending", "not_sent", 2 * SECOND, unsent=True)),
        (errors.Unknown(), Decision("unknown", "unknown")),
        (errors.Transient(), Decision("unknown", "transient")),
        (errors.Migrated(-100123), Decision("pending", "migrated", migrated_to=-100123)),
        (errors.TokenRevoked(), Decision("pending", "token", timedelta(seconds=1), unsent=True)),
        (errors.Conflict(), Decision("failed", "conflict", group_failed=True)),
        (errors.TopicGone(), Decision("failed", "topic")),
        (errors.ChatPolicy(), Decision("failed", "policy", group_failed=True)),
        (errors.ReplyGone(), Decision("failed", "reply", group_failed=True)),
        (errors.UserGone(), Decision("failed", "user_gone", group_failed=True)),
        (errors.Refused(), Decision("failed", "refused", group_failed=True)),
        (
            errors.Gone(),
            Decision("failed", "gone", group_failed=True, group_lost=True),
        ),
        (errors.NoRights(), Decision("failed", "rights", group_failed=True, group_health="degraded")),
    ],
)
def test_the_first_attempt_of_a_broadcast_that_reports(error: TelegramError | None, expected: Decision) -> None:
    assert replace(decide(error), told=None) == expected


@pytest.mark.parametrize("kind", [errors.Gone, errors.NoRights, errors.TopicGone, errors.ChatPolicy, errors.Refused])
def test_what_is_refused_for_good_keeps_telegrams_words(kind: type[TelegramError]) -> None:
    assert decide(kind("400 no")).told == "400 no"


@pytest.mark.parametrize("kind", [errors.BadContent, errors.WrongFile, errors.MessageGone])
def test_content_that_nobody_can_get_pauses_the_broadcast_and_blames_no_group(kind: type[TelegramError]) -> None:
    assert decide(kind("400 no")) == Decision("failed", "400 no", pause=True)


@pytest.mark.parametrize("error", [errors.Unknown(), errors.Transient()])
def test_what_is_ambiguous_is_sent_once_more_where_the_broadcast_says_so_and_only_once(error: TelegramError) -> None:
    """However often it was tried before in ways that surely did nothing, or ended in another file or another chat."""
    assert decide(error, attempts=3, once_more=True).state == "pending"
    assert decide(error, attempts=1, once_more=False).state == "unknown"


def test_a_telegram_that_cannot_be_reached_is_asked_less_and_less_often_and_for_ever() -> None:
    delays = [decide(errors.NotSent(), unsent=n).delay.total_seconds() for n in (0, 1, 4, 8, 100)]
    assert delays == [2, 4, 32, 60, 60]


def test_a_group_that_migrates_again_and_again_fails_and_is_not_blamed() -> None:
    assert decide(errors.Migrated(-1), attempts=2) == Decision("pending", "migrated", migrated_to=-1)
    assert decide(errors.Migrated(-1), attempts=3) == Decision("failed", "migrated", migrated_to=-1)
