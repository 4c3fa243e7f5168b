"""Exactly-once marks: one row for each update whose effects are committed."""

from __future__ import annotations

from datetime import timedelta

from common.ids import BotId, UpdateId
from common.queues import ALL_QUEUES
from common.store.pool import Tx


async def mark(tx: Tx, bot_id: BotId, update_id: UpdateId) -> bool:
    """True for the first to ask; a second transaction with the same update waits for the first one's end."""
    status = await tx.execute(
        "INSERT INTO inbox (bot_id, update_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", bot_id, update_id
    )
    return bool(status.endswith(" 1"))


async def prune(tx: Tx, older_than: timedelta) -> int:
    """Rows deleted, at most 10,000 a call, so that no lock is held for long.

    The mark of an update that waits in the dead letters stays: without it a replay would do everything twice.
    """
    status = await tx.execute(
        """DELETE FROM inbox WHERE ctid = ANY(ARRAY(
               SELECT i.ctid FROM inbox i WHERE i.received_at < now() - $1::interval AND NOT EXISTS (
                   SELECT 1 FROM dead_letters d WHERE d.resolved_at IS NULL AND d.queue = ANY($2::text[])
                       AND d.job_id = 'tg:' || i.bot_id || ':' || i.update_id)
               ORDER BY i.received_at LIMIT 10000))""",
        older_than,
        [queue.name for queue in ALL_QUEUES],
    )
    return int(status.rpartition(" ")[2])
