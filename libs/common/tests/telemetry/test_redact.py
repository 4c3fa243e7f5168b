"""Secrets are taken out wherever they stand; everything else stays as it is."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest
from common.errors import RetryLater, StoreUnavailable
from common.keys import KeyRing, WebhookSecrets
from common.telemetry.redact import describe, frames, redact
from common.testing.builders import BOT_ID, FAKE_TOKEN
from hypothesis import given
from hypothesis import strategies as st

SECRET = FAKE_TOKEN.partition(":")[2]
tails = st.text("ABCabc019_-", min_size=30, max_size=45)
ids = st.integers(100_000, 10**12)
around = st.text("xyz /:'\"%=&\n", max_size=30)  # nothing of a token, so that a find is one


@given(around, ids, tails, around)
def test_no_token_survives_whatever_stands_around_it(before: str, bot: int, tail: str, after: str) -> None:
    assert tail not in redact(f"{before}{bot}:{tail}{after}")


@given(around, ids, around)
def test_no_webhook_secret_survives(before: str, bot: int, after: str) -> None:
    secret = WebhookSecrets(KeyRing({"1": b"k" * 32})).secret(BOT_ID)
    assert secret.rpartition("_")[2] not in redact(f"{before} {secret} {after}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"POST https://api.telegram.org/bot{FAKE_TOKEN}/sendMessage",
            "POST https://api.telegram.org/bot***/sendMessage",
        ),
        (f"'{FAKE_TOKEN}'", "'***'"),
        ("postgresql://muster:hunter2@db:5432/muster", "postgresql://***@db:5432/muster"),
        ("amqps://u:p%40ss@broker/v", "amqps://***@broker/v"),
        ("amqp://:secret@broker", "amqp://***@broker"),
        ("https://example.com/a?b=c:d@e", "https://example.com/a?b=c:d@e"),
        ("12:34 o'clock, 123456:short, 2026-01-01T00:00:00", "12:34 o'clock, 123456:short, 2026-01-01T00:00:00"),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("colon", ["%3A", "%3a"])
def test_a_percent_encoded_token_does_not_survive(colon: str) -> None:
    assert SECRET not in redact(FAKE_TOKEN.replace(":", colon))


@given(st.text("abcdefgh 0123456789.,-/\n", max_size=200))
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_a_foreign_exceptions_text_is_not_told() -> None:
    assert describe(ValueError("what the user wrote")) == "ValueError"


def test_our_own_errors_are_told_without_secrets() -> None:
    assert describe(StoreUnavailable("PostgreSQL: TimeoutError")) == "StoreUnavailable: PostgreSQL: TimeoutError"
    assert SECRET not in describe(StoreUnavailable(f"with {FAKE_TOKEN}"))


def test_frames_say_where_and_hold_no_value() -> None:
    def fail(canary: str) -> None:
        raise ValueError(canary)

    try:
        fail("canary")
    except ValueError:
        told = frames(sys.exc_info()[2])
    assert [each.split()[1] for each in told] == ["test_frames_say_where_and_hold_no_value", "fail"]
    assert all(each.startswith("test_redact.py:") for each in told)
    assert "canary" not in "".join(told)


def test_an_error_that_says_what_to_do_is_readable() -> None:
    assert describe(RetryLater(timedelta(seconds=2), "flood")) == "RetryLater: flood; again in 2 s"
