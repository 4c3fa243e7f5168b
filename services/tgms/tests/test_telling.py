"""What is signed, and what follows from an answer: the rules alone."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from common.events import Event
from standardwebhooks import Webhook
from tgms.rules.telling import PATIENCE, Answer, Verdict, body, decide, headers, name

AT = datetime(2026, 1, 31, 9, tzinfo=UTC)
NONE = timedelta()
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def after(
    answer: Answer, *, attempts: int = 1, tried: timedelta = NONE, failing: timedelta = NONE, jitter: float = 0.0
) -> Verdict:
    return decide(answer, attempts=attempts, tried_for=tried, failing_for=failing, jitter=jitter)


def test_the_specifications_own_example() -> None:
    """From its text: this id, this time, this body and this secret give this signature in every library."""
    told = b'{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)
    made = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, told, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (made["webhook-id"], made["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")


def test_each_secret_signs() -> None:
    secrets = [f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2)]
    made = headers("evt_1", datetime.now(UTC), b"{}", secrets)
    for secret in secrets:
        assert Webhook(secret).verify(b"{}", made) == {}


def test_delays_grow_to_a_day_and_end_after_three() -> None:
    """The whole life of a request that always fails: each attempt comes when the last one said."""
    tried, delays = NONE, []
    for attempt in range(1, 20):
        verdict = after(Answer(500), attempts=attempt, tried=tried, failing=tried)
        if verdict.state == "failed":
            break
        delays.append(verdict.delay.total_seconds())
        tried += verdict.delay
    assert delays[:8] == [5, 30, 120, 600, 3600, 21600, 86400, 86400]
    assert tried == PATIENCE
    assert verdict == Verdict("failed", "answered 500", disable="it failed for 3 days")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_taken(status: int) -> None:
    assert after(Answer(status), failing=10 * DAY) == Verdict("delivered")


@pytest.mark.parametrize("status", [100, 300, 301, 302, 307, 400, 401, 404, 408, 429, 500, 503, 599])
def test_not_taken(status: int) -> None:
    verdict = after(Answer(status))
    assert (verdict.state, verdict.reason, verdict.disable) == ("pending", f"answered {status}", None)


def test_gone_ends_it_at_once() -> None:
    assert after(Answer(410)) == Verdict("failed", "answered 410", disable="it answered 410 Gone")


def test_nobody_there_says_why() -> None:
    assert after(Answer(None, "TLS failed")).reason == "TLS failed"


def test_retry_after_is_heeded_and_no_longer_than_a_day() -> None:
    assert after(Answer(429, retry_after=60)).delay == 60 * SECOND
    assert after(Answer(429, retry_after=1)).delay == 5 * SECOND
    assert after(Answer(429, retry_after=10**6)).delay == DAY
    assert after(Answer(429, retry_after=10**6), tried=PATIENCE - SECOND).delay == SECOND


def test_jitter_is_a_tenth_at_most() -> None:
    assert after(Answer(500), jitter=1).delay == timedelta(seconds=5.5)


def test_a_new_request_to_one_that_fails_for_three_days_is_its_last() -> None:
    verdict = after(Answer(500), failing=PATIENCE)
    assert (verdict.state, verdict.disable) == ("pending", "it failed for 3 days")
    assert after(Answer(500), failing=PATIENCE - SECOND).disable is None


def test_one_event_is_itself_and_a_batch_has_a_name_of_its_own() -> None:
    event = Event(7, "delivery.failed", AT, {"delivery_id": 1, "reason": "gone", "message_id": None})
    assert name(3, event.kind, [event]) == "evt_7"
    assert json.loads(body("evt_7", event.kind, [event])) == {
        "id": "evt_7", "type": "delivery.failed", "timestamp": "2026-01-31T09:00:00.000Z",
        "data": {"delivery_id": 1, "reason": "gone"},
    }  # fmt: skip
    sent = [Event(n, "delivery.sent", AT + n * SECOND, {"delivery_id": n}) for n in (1, 2)]
    assert name(3, "delivery.sent", sent) == "bat_3"
    told = json.loads(body("bat_3", "delivery.sent", sent))
    assert (told["id"], told["type"], told["timestamp"]) == ("bat_3", "delivery.sent", "2026-01-31T09:00:02.000Z")
    assert [each["id"] for each in told["data"]["events"]] == ["evt_1", "evt_2"]
    assert set(json.loads(body("bat_4", "delivery.sent", sent[:1]))["data"]) == {"events"}  # one has the same form
