"""One message taken from a queue: what its envelope says, whoever published it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from common.bus import tracing
from common.envelope import Envelope
from common.ids import JobId


@dataclass(frozen=True)
class Delivery:
    """The envelope and its body, read without trust: any bytes may stand in a queue."""

    envelope: Envelope
    message_id: str
    published_ms: int
    redelivered: bool

    @classmethod
    def of(cls, message: AbstractIncomingMessage, queue: str) -> Delivery:
        """A missing or odd header gets its default."""
        headers: dict[str, Any] = dict(message.headers or {})
        message_id = message.message_id or ""
        context = headers.get(tracing.TRACEPARENT)
        envelope = Envelope(
            queue=queue,
            body=message.body,
            kind=_text(message.type, "unknown"),
            job_id=JobId(_text(headers.get("job_id"), message_id or "unknown")),
            attempt=_number(headers.get("attempt"), 1),
            traceparent=context if isinstance(context, str) else None,
        )
        return cls(envelope, message_id, _number(headers.get("published_ms"), 0), bool(message.redelivered))


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) and 0 < value < 2**53 else default


def _text(value: object, default: str) -> str:
    return value[:200] if isinstance(value, str) and value else default
