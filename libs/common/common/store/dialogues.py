"""One user's conversation with one bot; the row's lock is what orders that user's updates over all processes."""

from __future__ import annotations

from common.ids import BotId, UserId
from common.records import Dialogue
from common.store.pool import Tx


async def lock(tx: Tx, bot_id: BotId, user_id: UserId) -> Dialogue:
    """Made on first sight; held until the transaction ends."""
    row = await tx.fetchrow(
        """INSERT INTO dialogues AS d (bot_id, user_id) VALUES ($1, $2)
           ON CONFLICT (bot_id, user_id) DO UPDATE SET bot_id = d.bot_id
           RETURNING bot_id, user_id, status, language, state, data, start_payload, window_start, window_count,
               created_at, now() AS seen_at""",
        bot_id,
        user_id,
    )
    if row is None:  # an upsert with RETURNING always gives a row
        raise AssertionError
    return Dialogue(**dict(row))


async def save(tx: Tx, dialogue: Dialogue) -> None:
    """Everything a handler may have changed; the caller holds the lock."""
    await tx.execute(
        """UPDATE dialogues SET status = $3, language = $4, state = $5, data = $6, start_payload = $7,
               window_start = $8, window_count = $9, updated_at = now()
           WHERE bot_id = $1 AND user_id = $2""",
        dialogue.bot_id,
        dialogue.user_id,
        dialogue.status,
        dialogue.language,
        dialogue.state,
        dialogue.data,
        dialogue.start_payload,
        dialogue.window_start,
        dialogue.window_count,
    )


async def set_status(tx: Tx, bot_id: BotId, user_id: UserId, status: str) -> None:
    """Where a send told us what the user did: blocked the bot, or is gone."""
    await tx.execute(
        "UPDATE dialogues SET status = $3, updated_at = now() WHERE bot_id = $1 AND user_id = $2",
        bot_id,
        user_id,
        status,
    )
