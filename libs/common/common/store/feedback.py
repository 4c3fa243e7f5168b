"""What users told us with /feedback."""

from __future__ import annotations

from common.ids import BotId, UserId
from common.store.pool import Tx


async def add(tx: Tx, bot_id: BotId, user_id: UserId, topic: str, text: str) -> None:
    """NUL is taken out: PostgreSQL's text has none."""
    await tx.execute(
        "INSERT INTO feedback (bot_id, user_id, topic, text) VALUES ($1, $2, $3, $4)",
        bot_id,
        user_id,
        topic,
        text.replace("\0", ""),
    )
