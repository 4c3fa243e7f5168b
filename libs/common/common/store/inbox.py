"""Exactly-once marks: one row for each update whose effects are committed."""

from __future__ import annotations

from datetime import timedelta

from common.ids import BotId, UpdateId
from common.store.pool import Tx


async def mark(tx: Tx, bot_id: BotId, update_id: UpdateId) -> bool:
    """True for the first to ask; a second transaction with the same update waits for the first one's end."""
    status = await tx.execute(
        "INSERT INTO inbox (bot_id, update_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", bot_id, update_id
    )
    return bool(status.endswith(" 1"))


async def prune(tx: Tx, older_than: timedelta) -> int:
    """Rows deleted, at most 10,000 a call, so that no lock is held for long."""
    status = await tx.execute(
        """DELETE FROM inbox WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM inbox WHERE received_at < now() - $1::interval ORDER BY received_at LIMIT 10000))""",
        older_than,
    )
    return int(status.rpartition(" ")[2])
