"""Jobs on their way to the broker: put here when it can't be reached, or when their time has not come.

A job that is part of an order keeps its row until it is handled: that is how its followers know to wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from common.envelope import Envelope
from common.ids import JobId
from common.store.pool import Tx

Order = tuple[str, int]  # (whose order, the place in it)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that is due."""

    outbox_id: int
    envelope: Envelope
    ordered: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """Due rows that are not published, and how old the oldest is."""

    pending: int
    oldest: timedelta


async def add(tx: Tx, job: Envelope, *, order: Order | None = None, delay: timedelta = timedelta()) -> None:
    """Due after `delay` by the database's clock; a job whose place is there already is published once more."""
    await tx.execute(
        """INSERT INTO outbox (job_id, queue, kind, body, attempt, order_key, order_seq, traceparent, run_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9::interval)
           ON CONFLICT (order_key, order_seq) DO UPDATE SET published_at = NULL, run_at = excluded.run_at""",
        job.job_id,
        job.queue,
        job.kind,
        job.body,
        job.attempt,
        order[0] if order else None,
        order[1] if order else None,
        job.traceparent,
        delay,
    )


async def due(tx: Tx, limit: int) -> list[Waiting]:
    """In the order they were put in. Not locked: one process reads them, and two would only publish twice."""
    rows = await tx.fetch(
        """SELECT outbox_id, job_id, queue, kind, body, attempt, traceparent, order_key IS NOT NULL AS ordered
           FROM outbox WHERE published_at IS NULL AND run_at <= now() ORDER BY run_at, outbox_id LIMIT $1""",
        limit,
    )
    return [
        Waiting(
            row["outbox_id"],
            Envelope(row["queue"], row["body"], row["kind"], JobId(row["job_id"]), row["attempt"], row["traceparent"]),
            row["ordered"],
        )
        for row in rows
    ]


async def published(tx: Tx, rows: list[Waiting]) -> None:
    """After the broker's confirm: rows without an order are done, the others stay until `handled`."""
    done = [row.outbox_id for row in rows if not row.ordered]
    stay = [row.outbox_id for row in rows if row.ordered]
    if done:
        await tx.execute("DELETE FROM outbox WHERE outbox_id = ANY($1::bigint[])", done)
    if stay:
        await tx.execute("UPDATE outbox SET published_at = now() WHERE outbox_id = ANY($1::bigint[])", stay)


async def first(tx: Tx, order: Order) -> int | None:
    """The earliest place up to this one that is not handled yet; None where nothing waits, which is nearly always."""
    place: int | None = await tx.fetchval(
        "SELECT min(order_seq) FROM outbox WHERE order_key = $1 AND order_seq <= $2", order[0], order[1]
    )
    return place


async def handled(tx: Tx, order: Order) -> None:
    """With the job's effects: its followers need not wait any more."""
    await tx.execute("DELETE FROM outbox WHERE order_key = $1 AND order_seq = $2", order[0], order[1])


async def buried(tx: Tx, job_id: JobId) -> None:
    """A job in the dead letters keeps nobody waiting."""
    await tx.execute("DELETE FROM outbox WHERE job_id = $1 AND published_at IS NOT NULL", job_id)


async def revive(tx: Tx, older_than: timedelta) -> int:
    """Rows published so long ago that their message may be lost, for a purged queue say: they are published again.

    At most 10,000 a call, and each less and less often: where nobody consumes, the queue would fill with copies.
    """
    status = await tx.execute(
        """UPDATE outbox SET published_at = NULL WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM outbox
               WHERE published_at < now() - $1::interval AND published_at < now() - (published_at - created_at)
               LIMIT 10000))""",
        older_than,
    )
    return int(status.rpartition(" ")[2])


async def backlog(tx: Tx) -> Backlog:
    """For the alarm on the oldest unpublished row."""
    row = await tx.fetchrow(
        """SELECT count(*) AS pending, coalesce(now() - min(run_at), interval '0') AS oldest
           FROM outbox WHERE published_at IS NULL AND run_at <= now()"""
    )
    return Backlog(row["pending"], row["oldest"]) if row else Backlog(0, timedelta())
