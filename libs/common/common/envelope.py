"""A job ready for the wire: what is published, kept in the outbox, passed on by the retry ladder, and buried."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.ids import JobId


@dataclass(frozen=True, slots=True)
class Envelope:
    """`queue` is where the job belongs, wherever it waits; `attempt` counts from 1; `body` may be what a user wrote."""

    queue: str
    body: bytes = field(repr=False)
    kind: str
    job_id: JobId
    attempt: int = 1
    traceparent: str | None = None
