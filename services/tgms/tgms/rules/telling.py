"""How an event is told to a webhook, in the form of Standard Webhooks, and what follows from its answer."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from common.events import GATHERED, Event
from pydantic_core import to_json

PREFIX: Final = "whsec_"
PATIENCE: Final = timedelta(days=3)
_STEPS: Final = (5, 30, 120, 600, 3600, 6 * 3600)  # seconds until the next attempt, after the first one and so on
_DAILY: Final = 86_400  # seconds, after those


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` None where nobody answered; `retry_after` is what the answer asks for, in seconds."""

    status: int | None
    problem: str = ""
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the request: `pending` is another attempt after `delay`; `disable` says why its webhook ends."""

    state: Literal["delivered", "pending", "failed"]
    reason: str | None = None
    delay: timedelta = timedelta()
    disable: str | None = None


def decide(
    answer: Answer, *, attempts: int, tried_for: timedelta, failing_for: timedelta, jitter: float = 0.0
) -> Verdict:
    """`tried_for` since the request's first attempt, `failing_for` since the webhook's first failure in a row.

    `jitter` from 0 to 1 makes a delay up to a tenth longer, so that what failed together does not come back together.
    """
    if answer.status is not None and 200 <= answer.status < 300:
        return Verdict("delivered")
    reason = answer.problem or f"answered {answer.status}"
    if answer.status == 410:
        return Verdict("failed", reason, disable="it answered 410 Gone")
    disable = "it failed for 3 days" if failing_for >= PATIENCE else None
    left = PATIENCE - tried_for
    if left <= timedelta():
        return Verdict("failed", reason, disable=disable)
    step = _STEPS[attempts - 1] if attempts <= len(_STEPS) else _DAILY
    seconds = max(step * (1 + jitter / 10), min(answer.retry_after, _DAILY))
    return Verdict("pending", reason, min(timedelta(seconds=seconds), left), disable)


def name(message_id: int, kind: str, events: Sequence[Event]) -> str:
    """What `webhook-id` says, the same for every attempt: an event's own, or a batch's."""
    return f"bat_{message_id}" if kind == GATHERED else f"evt_{events[0].event_id}"


def body(named: str, kind: str, events: Sequence[Event]) -> bytes:
    """One event, or several of one kind; a kind has one form always."""
    if kind != GATHERED:
        return to_json(_told(events[0]))
    last = max(event.at for event in events)
    return to_json(
        {"id": named, "type": kind, "timestamp": _iso(last), "data": {"events": [_told(event) for event in events]}}
    )


def headers(named: str, at: datetime, content: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """With a signature for each secret: while two live, a receiver may know either."""
    stamp = str(int(at.timestamp()))
    return {
        "content-type": "application/json",
        "user-agent": "Muster-Webhooks/1",
        "webhook-id": named,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(_signature(secret, f"{named}.{stamp}.".encode() + content) for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def _told(event: Event) -> dict[str, Any]:
    return {
        "id": f"evt_{event.event_id}",
        "type": event.kind,
        "timestamp": _iso(event.at),
        "data": {key: value for key, value in event.data.items() if value is not None},
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
