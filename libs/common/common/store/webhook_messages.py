"""The requests that carry events to webhooks: one row each, tried until it is taken or given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from common.events import GATHERED, Event
from common.store.pool import Tx
from common.store.webhooks import Sealed

State = Literal["pending", "delivered", "failed"]
_COMPANY: Final = 100  # events in one request
GATHERS: Final = 1000  # events in one statement
MOST: Final = 10_000  # events replayed by one request


@dataclass(frozen=True, slots=True)
class Claim:
    """A request to be made now; `secrets` sign it, one or two of them. Without events it is too old to be made."""

    message_id: int
    webhook_id: int
    kind: str
    url: str = field(repr=False)
    secrets: list[Sealed]
    attempts: int
    first_tried_at: datetime
    tried_at: datetime
    failing_since: datetime | None
    events: list[Event]


@dataclass(frozen=True, slots=True)
class MessageView:
    """A request as the API shows it; `due_at` is the next attempt's where it is pending."""

    message_id: int
    kind: str
    event_ids: list[int]
    state: State
    attempts: int
    status: int | None
    reason: str | None
    created_at: datetime
    due_at: datetime
    settled_at: datetime | None


async def gather(tx: Tx) -> int:
    """Events that waited for company become requests of up to a hundred; how many events: `GATHERS` where more may
    wait.
    """
    count: int = await tx.fetchval(
        """WITH taken AS (
               DELETE FROM webhook_waiting WHERE ctid = ANY(ARRAY(  -- locked, so that the places stay good
                   SELECT ctid FROM webhook_waiting ORDER BY webhook_id, event_id LIMIT $1 FOR UPDATE SKIP LOCKED))
               RETURNING webhook_id, event_id),
           placed AS (
               SELECT webhook_id, event_id,
                   (row_number() OVER (PARTITION BY webhook_id ORDER BY event_id) - 1) / $2 AS part FROM taken),
           made AS (
               INSERT INTO webhook_messages (webhook_id, kind, event_ids)
               SELECT webhook_id, $3, array_agg(event_id ORDER BY event_id) FROM placed GROUP BY webhook_id, part)
           SELECT count(*) FROM taken""",
        GATHERS,
        _COMPANY,
        GATHERED,
    )
    return count


async def claim(tx: Tx, busy: Mapping[int, int], *, turns: int, hold: timedelta) -> list[Claim]:
    """Due ones, for each webhook as many as it has turns that are not `busy`, and one where it fails.

    Each counts as tried, and comes back after `hold` if nobody says how it ended. What was tried before the webhook was
    last changed (enabled again, another address, another secret) is tried as if for the first time.
    """
    rows = await tx.fetch(
        """WITH due AS (
               SELECT m.message_id, w.webhook_id, w.url, w.failing_since, w.updated_at, w.secret, w.secret_key,
                   CASE WHEN w.old_until > now() THEN w.old_secret END AS old_secret, w.old_secret_key
               FROM webhooks w LEFT JOIN unnest($1::bigint[], $2::int[]) AS b (webhook_id, n) USING (webhook_id)
               CROSS JOIN LATERAL (  -- a plain limit, which the planner can count on: else it reads the whole table
                   SELECT message_id, row_number() OVER (ORDER BY due_at) AS place FROM (
                       SELECT message_id, due_at FROM webhook_messages
                       WHERE webhook_id = w.webhook_id AND state = 'pending' AND due_at <= now()
                       ORDER BY due_at LIMIT $3) first) m
               WHERE w.wants_until = 'infinity'  -- those that are enabled, by their index
                   AND m.place <= CASE WHEN w.failing_since IS NULL THEN $3 ELSE 1 END - coalesce(b.n, 0))
           UPDATE webhook_messages m SET due_at = now() + $4::interval,
               attempts = CASE WHEN m.first_tried_at < due.updated_at THEN 1 ELSE m.attempts + 1 END,
               first_tried_at = CASE WHEN m.first_tried_at >= due.updated_at THEN m.first_tried_at ELSE now() END
           FROM due WHERE m.message_id = due.message_id
           RETURNING m.message_id, m.kind, m.event_ids, m.attempts, m.first_tried_at, now() AS tried_at,
               due.webhook_id, due.url, due.failing_since, due.secret, due.secret_key, due.old_secret,
               due.old_secret_key""",
        list(busy),
        list(busy.values()),
        turns,
        hold,
    )
    if not rows:
        return []
    found = await _events(tx, sorted({event_id for row in rows for event_id in row["event_ids"]}))
    return [_claim(row, found) for row in rows]


async def settle(
    tx: Tx, claim: Claim, state: State, *, status: int | None, reason: str | None, delay: timedelta
) -> bool:
    """How the attempt ended; `pending` is another one after `delay`.

    False where somebody else has tried it since, or it has ended: only that it was taken is true whoever says it.
    """
    done = await tx.execute(
        """UPDATE webhook_messages SET state = $2, status = $3, reason = $4,
               due_at = CASE WHEN $2 = 'pending' THEN now() + $5::interval ELSE due_at END,
               settled_at = CASE WHEN $2 <> 'pending' THEN now() END
           WHERE message_id = $1 AND state = 'pending' AND (attempts = $6 OR $2 = 'delivered')""",
        claim.message_id,
        state,
        status,
        reason,
        delay,
        claim.attempts,
    )
    return bool(done.endswith(" 1"))


async def page(tx: Tx, webhook_id: int, *, state: State | None, before_id: int, limit: int) -> list[MessageView]:
    """The newest first."""
    rows = await tx.fetch(
        """SELECT message_id, kind, event_ids, state, attempts, status, reason, created_at, due_at, settled_at
           FROM webhook_messages WHERE webhook_id = $1 AND message_id < $2 AND ($3::text IS NULL OR state = $3)
           ORDER BY message_id DESC LIMIT $4""",
        webhook_id,
        before_id,
        state,
        limit,
    )
    return [MessageView(**dict(row)) for row in rows]


async def replay_one(tx: Tx, webhook_id: int, event_id: int) -> int:
    """0 for an event that is not there, or that this webhook may not be told; else 1."""
    return (await _replay(tx, webhook_id, await _allowed(tx, webhook_id, event_id)))[0]


async def moment(tx: Tx, webhook_id: int, event_id: int) -> datetime | None:
    """When that event was; None for one that is not there, or that this webhook may not be told."""
    rows = await _allowed(tx, webhook_id, event_id)
    return rows[0]["at"] if rows else None


async def replay_since(tx: Tx, webhook_id: int, since: datetime, *, after: int = 0) -> tuple[int, int | None]:
    """How many events of its kinds go out once more, the oldest first, and after which one more were left.

    `after` is the last event that was had of that very moment: thousands may have one.
    """
    rows = await tx.fetch(
        """SELECT e.event_id, e.kind, e.at FROM events e, webhooks w
           WHERE w.webhook_id = $1 AND (e.at, e.event_id) > ($2, $3) AND e.kind = ANY(w.kinds)
               AND (w.bot_ids IS NULL OR e.bot_ids <@ w.bot_ids)
           ORDER BY e.at, e.event_id LIMIT $4""",
        webhook_id,
        since,
        after,
        MOST + 1,
    )
    return await _replay(tx, webhook_id, rows)


async def _allowed(tx: Tx, webhook_id: int, event_id: int) -> list[Any]:
    return await tx.fetch(
        """SELECT e.event_id, e.kind, e.at FROM events e, webhooks w
           WHERE w.webhook_id = $1 AND e.event_id = $2 AND e.kind = ANY(w.kinds)
               AND (w.bot_ids IS NULL OR e.bot_ids <@ w.bot_ids)""",
        webhook_id,
        event_id,
    )


async def _replay(tx: Tx, webhook_id: int, rows: Sequence[Any]) -> tuple[int, int | None]:
    chosen = rows[:MOST]
    await tx.execute(
        """WITH chosen AS (SELECT * FROM unnest($2::bigint[], $3::text[]) AS c (event_id, kind)),
           waiting AS (
               INSERT INTO webhook_waiting (webhook_id, event_id)
               SELECT $1, event_id FROM chosen WHERE kind = $4 ON CONFLICT DO NOTHING)
           INSERT INTO webhook_messages (webhook_id, kind, event_ids)
           SELECT $1, kind, ARRAY[event_id] FROM chosen WHERE kind <> $4""",
        webhook_id,
        [row["event_id"] for row in chosen],
        [row["kind"] for row in chosen],
        GATHERED,
    )
    return len(chosen), chosen[-1]["event_id"] if len(rows) > MOST else None


async def _events(tx: Tx, event_ids: list[int]) -> dict[int, Event]:
    rows = await tx.fetch("SELECT event_id, kind, at, data FROM events WHERE event_id = ANY($1::bigint[])", event_ids)
    return {row["event_id"]: Event(**dict(row)) for row in rows}


def _claim(row: Any, found: Mapping[int, Event]) -> Claim:
    secrets = [Sealed(row["secret"], row["secret_key"])]
    if row["old_secret"] is not None:
        secrets.append(Sealed(row["old_secret"], row["old_secret_key"]))
    return Claim(
        row["message_id"],
        row["webhook_id"],
        row["kind"],
        row["url"],
        secrets,
        row["attempts"],
        row["first_tried_at"],
        row["tried_at"],
        row["failing_since"],
        [found[event_id] for event_id in row["event_ids"] if event_id in found],
    )
