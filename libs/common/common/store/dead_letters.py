"""Jobs that will not be tried again by themselves; operators look at them, replay or discard them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.envelope import Envelope
from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Without the body: it may hold what a user wrote, and lists go to terminals."""

    dead_letter_id: int
    job_id: str
    queue: str
    kind: str
    cause: str
    reason: str
    attempt: int
    created_at: datetime


async def add(tx: Tx, job: Envelope, *, cause: str, reason: str) -> None:
    """Once, however often the broker redelivers it before the row is resolved."""
    await tx.execute(
        """INSERT INTO dead_letters (job_id, queue, kind, cause, reason, body, attempt, traceparent)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING""",
        job.job_id,
        job.queue,
        job.kind,
        cause,
        reason,
        job.body,
        job.attempt,
        job.traceparent,
    )


async def unresolved(tx: Tx, limit: int) -> list[DeadLetter]:
    """Oldest first."""
    rows = await tx.fetch(
        """SELECT dead_letter_id, job_id, queue, kind, cause, reason, attempt, created_at FROM dead_letters
           WHERE resolved_at IS NULL ORDER BY created_at LIMIT $1""",
        limit,
    )
    return [DeadLetter(**dict(row)) for row in rows]


async def replay(tx: Tx, dead_letter_id: int) -> bool:
    """Moves it to the outbox with one more attempt; False where it is unknown or resolved already, so twice is a no-op.

    Replies of that update that did not get through are open again, as they were written: a replay helps where it was
    Telegram or the chat that has changed.
    """
    status = await tx.execute(
        """WITH taken AS (
               UPDATE dead_letters SET resolved_at = now(), resolution = 'replayed'
               WHERE dead_letter_id = $1 AND resolved_at IS NULL
               RETURNING job_id, queue, kind, body, attempt, traceparent),
           refused AS (
               SELECT split_part(job_id, ':', 2) AS bot_id, split_part(job_id, ':', 3) AS update_id FROM taken
               WHERE job_id ~ '^tg:[0-9]{1,18}:[0-9]{1,18}$'),
           reopened AS (
               UPDATE replies r SET state = 'sending', attempts = 1, reason = NULL, settled_at = NULL,
                   claimed_until = now()
               FROM refused
               WHERE r.bot_id = refused.bot_id::bigint AND r.update_id = refused.update_id::bigint
                   AND r.state IN ('failed', 'unknown'))
           INSERT INTO outbox (job_id, queue, kind, body, attempt, traceparent)
           SELECT job_id, queue, kind, body, attempt + 1, traceparent FROM taken""",
        dead_letter_id,
    )
    return bool(status.endswith(" 1"))


async def discard(tx: Tx, dead_letter_id: int) -> bool:
    """Keeps the row and says so; False where it is unknown or resolved already."""
    status = await tx.execute(
        """UPDATE dead_letters SET resolved_at = now(), resolution = 'discarded'
           WHERE dead_letter_id = $1 AND resolved_at IS NULL""",
        dead_letter_id,
    )
    return bool(status.endswith(" 1"))
