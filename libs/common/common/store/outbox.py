"""Jobs on their way to the broker: put here when it can't be reached, or when their time has not come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A job's envelope, as the store knows it."""

    outbox_id: int
    job_id: str
    queue: str
    kind: str
    body: bytes
    attempt: int
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Due rows that are not published, and how old the oldest is."""

    pending: int
    oldest: timedelta


async def add(  # noqa: PLR0913 (the columns of one row)
    tx: Tx,
    *,
    job_id: str,
    queue: str,
    kind: str,
    body: bytes,
    attempt: int = 1,
    order: tuple[str, int] | None = None,
    traceparent: str | None = None,
    delay: timedelta = timedelta(),
) -> None:
    """Due after `delay` by the database's clock; `order` is the key and the place of a job whose followers must wait
    for it.
    """
    await tx.execute(
        """INSERT INTO outbox (job_id, queue, kind, body, attempt, order_key, order_seq, traceparent, run_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9::interval)""",
        job_id,
        queue,
        kind,
        body,
        attempt,
        order[0] if order else None,
        order[1] if order else None,
        traceparent,
        delay,
    )


async def due(tx: Tx, limit: int) -> list[OutboxRow]:
    """In the order they were put in. Not locked: one process reads them, and two would only publish twice."""
    rows = await tx.fetch(
        """SELECT outbox_id, job_id, queue, kind, body, attempt, traceparent FROM outbox
           WHERE run_at <= now() ORDER BY run_at, outbox_id LIMIT $1""",
        limit,
    )
    return [OutboxRow(**dict(row)) for row in rows]


async def delete(tx: Tx, ids: list[int]) -> None:
    """After they were published."""
    await tx.execute("DELETE FROM outbox WHERE outbox_id = ANY($1::bigint[])", ids)


async def holds_earlier(tx: Tx, order: tuple[str, int]) -> bool:
    """True while a job with this key and an earlier place is still on its way to the broker."""
    return bool(
        await tx.fetchval(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE order_key = $1 AND order_seq < $2)", order[0], order[1]
        )
    )


async def backlog(tx: Tx) -> Backlog:
    """For the alarm on the oldest unpublished row."""
    row = await tx.fetchrow(
        """SELECT count(*) AS pending, coalesce(now() - min(run_at), interval '0') AS oldest
           FROM outbox WHERE run_at <= now()"""
    )
    return Backlog(row["pending"], row["oldest"]) if row else Backlog(0, timedelta())
