"""One message taken from a queue: what its envelope says, whoever published it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from common.bus import tracing
from common.envelope import Envelope
from common.ids import JobId

_ATTEMPTS = 2**30  # no job of ours has as many, and a replay's row still fits PostgreSQL's integer


class Content(Protocol):
    """A message as `subscription` has it, and as aio-pika has it."""

    @property
    def body(self) -> bytes:
        """Whatever somebody put there."""

    @property
    def message_id(self) -> str | None:
        """Unique, if the publisher is one of ours."""

    @property
    def type(self) -> str | None:
        """The job's kind."""

    @property
    def headers(self) -> Mapping[str, Any]:
        """With values of any kind."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The envelope and its body, read without trust: any bytes may stand in a queue."""

    envelope: Envelope
    message_id: str
    published_ms: int

    @classmethod
    def of(cls, message: Content, queue: str) -> Delivery:
        """A missing or odd header gets its default."""
        headers = message.headers or {}
        # A stranger's message has no id: each gets one of its own, or the second would count as the first's copy.
        message_id = _storable(message.message_id or "") or f"none:{uuid.uuid4().hex}"
        context = headers.get(tracing.TRACEPARENT)
        envelope = Envelope(
            queue=queue,
            body=message.body,
            kind=_text(message.type, "unknown"),
            job_id=JobId(_text(headers.get("job_id"), message_id)),
            attempt=_number(headers.get("attempt"), 1, below=_ATTEMPTS),
            traceparent=_storable(context) if isinstance(context, str) else None,
        )
        return cls(envelope, message_id, _number(headers.get("published_ms"), 0))


def _number(value: object, default: int, *, below: int = 2**53) -> int:
    return value if isinstance(value, int) and 0 < value < below else default


def _text(value: object, default: str) -> str:
    return _storable(value)[:200] or default if isinstance(value, str) else default


def _storable(text: str) -> str:
    # A dead letter whose row can't be written would be held for ever, and its place in the prefetch with it.
    return text.replace("\0", "")
