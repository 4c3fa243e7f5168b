"""Webhook bodies that nobody could understand."""

from __future__ import annotations

import hashlib

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
