"""What webhooks are told: written with what it tells, in the same statement, and only where a webhook wants it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from common.events import GATHERED, TEST
from common.store.pool import Tx

# The end of a list of CTEs whose `told` has kind, bot_ids and data: costs a look at `webhooks` where nobody listens.
# What is limited to some bots is told nothing that concerns any other, or the whole fleet (bot_ids is null).
TELL: Final = f"""event AS (
        INSERT INTO events (kind, bot_ids, data)
        SELECT t.kind, t.bot_ids, t.data FROM told t WHERE EXISTS (
            SELECT 1 FROM webhooks w WHERE w.wants_until > now() AND t.kind = ANY(w.kinds)
                AND (w.bot_ids IS NULL OR t.bot_ids <@ w.bot_ids))
        RETURNING event_id, kind, bot_ids),
    listener AS (
        SELECT w.webhook_id, e.event_id, e.kind FROM event e JOIN webhooks w
            ON w.wants_until > now() AND e.kind = ANY(w.kinds) AND (w.bot_ids IS NULL OR e.bot_ids <@ w.bot_ids)),
    message AS (
        INSERT INTO webhook_messages (webhook_id, kind, event_ids)
        SELECT webhook_id, kind, ARRAY[event_id] FROM listener WHERE kind <> '{GATHERED}'),
    waiting AS (
        INSERT INTO webhook_waiting (webhook_id, event_id)
        SELECT webhook_id, event_id FROM listener WHERE kind = '{GATHERED}')"""  # noqa: S608 (our own word)

# `told` of deliveries that a CTE `settled` has ended. What begins with a number, or follows a colon, is Telegram's own
# words, which may quote the message: they stay in the row.
TOLD_DELIVERIES: Final = """told AS (
        SELECT 'delivery.' || state AS kind, ARRAY[bot_id] AS bot_ids, jsonb_build_object(
            'delivery_id', delivery_id, 'broadcast_id', broadcast_id, 'group_id', group_id, 'bot_id', bot_id,
            'state', state, 'attempts', attempts, 'message_id', message_id,
            'reason', CASE WHEN reason ~ '^[0-9]' THEN 'content' ELSE split_part(reason, ': ', 1) END) AS data
        FROM settled WHERE state IN ('failed', 'unknown', 'sent'))"""
# What `settled` must return of them.
DELIVERY: Final = (
    "d.delivery_id, d.broadcast_id, d.group_id, d.bot_id, d.state, d.reason, d.attempts::int, d.message_id"
)


# The same for a statement that is run for each send: what is wanted of `told` comes back, to be given to `tell`.
WANTED: Final = """SELECT kind, bot_ids, data FROM told t WHERE EXISTS (
        SELECT 1 FROM webhooks w WHERE w.wants_until > now() AND t.kind = ANY(w.kinds)
            AND (w.bot_ids IS NULL OR t.bot_ids <@ w.bot_ids))"""


async def tell(tx: Tx, wanted: Sequence[Any]) -> None:
    """Rows of `WANTED`; nothing is asked where there are none."""
    if wanted:
        await tx.execute(
            f"""WITH told AS (
                   SELECT t.kind, t.bot_ids, t.data FROM jsonb_to_recordset($1)
                       AS t (kind text, bot_ids bigint[], data jsonb)),
               {TELL}
               SELECT 1""",  # noqa: S608 (our own words)
            [dict(row) for row in wanted],
        )


async def test(tx: Tx, webhook_id: int, bot_ids: list[int] | None) -> int:
    """An event for that webhook alone; its id."""
    event_id: int = await tx.fetchval(
        """WITH event AS (
               INSERT INTO events (kind, bot_ids, data) VALUES ($2, $3, jsonb_build_object('webhook_id', $1::bigint))
               RETURNING event_id, kind),
           message AS (
               INSERT INTO webhook_messages (webhook_id, kind, event_ids)
               SELECT $1::bigint, kind, ARRAY[event_id] FROM event)
           SELECT event_id FROM event""",
        webhook_id,
        TEST,
        bot_ids,
    )
    return event_id


async def prune(tx: Tx, older_than: timedelta) -> int:
    """Events, and the requests that carried them, at most 10,000 of each a call; how many."""
    gone = [
        await tx.execute(
            """DELETE FROM events WHERE ctid = ANY(ARRAY(
                   SELECT ctid FROM events WHERE at < now() - $1::interval ORDER BY at LIMIT 10000))""",
            older_than,
        ),
        await tx.execute(
            """DELETE FROM webhook_messages WHERE ctid = ANY(ARRAY(
                   SELECT ctid FROM webhook_messages WHERE created_at < now() - $1::interval
                   ORDER BY created_at LIMIT 10000))""",
            older_than,
        ),
    ]
    return sum(int(status.rpartition(" ")[2]) for status in gone)
