"""Webhook bodies that nobody could understand."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from common.ids import BotId
from common.store.pool import Tx


async def keep(tx: Tx, bot_id: BotId, body: bytes, reason: str) -> None:
    """Once for the same bytes of the same bot."""
    await tx.execute(
        "INSERT INTO quarantine (bot_id, digest, body, reason) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        bot_id,
        hashlib.sha256(body).digest(),
        body,
        reason,
    )


async def prune(tx: Tx, older_than: timedelta) -> int:
    """Rows deleted, at most 10,000 a call: they may hold what a user wrote."""
    status = await tx.execute(
        """DELETE FROM quarantine WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM quarantine WHERE received_at < now() - $1::interval
               ORDER BY received_at LIMIT 10000))""",
        older_than,
    )
    return int(status.rpartition(" ")[2])
