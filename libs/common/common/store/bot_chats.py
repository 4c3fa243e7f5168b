"""Which bots are in which chats: the newest word of Telegram on each, whatever order its updates are handled in."""

from __future__ import annotations

from typing import Literal

from common.ids import BotId, ChatId
from common.records import Moment
from common.store.pool import Tx


async def note(tx: Tx, bot_id: BotId, chat_id: ChatId, status: Literal["in", "out"], moment: Moment) -> bool:
    """False where something newer is known already; others who note the same pair wait for this transaction's end."""
    done = await tx.execute(
        """INSERT INTO bot_chats AS c (bot_id, chat_id, status, at, update_id) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (chat_id, bot_id) DO UPDATE
               SET status = excluded.status, at = excluded.at, update_id = excluded.update_id
               WHERE (c.at, c.update_id) < (excluded.at, excluded.update_id)""",
        bot_id,
        chat_id,
        status,
        moment.at,
        moment.update_id,
    )
    return bool(done.endswith(" 1"))


async def migrated(tx: Tx, bot_id: BotId, old: ChatId, new: ChatId, moment: Moment) -> None:
    """Everybody is where they were, under the new id; a late word on the old one is known to be late."""
    await tx.execute(
        """INSERT INTO bot_chats (bot_id, chat_id, status, at, update_id)
           SELECT bot_id, $2, status, at, update_id FROM bot_chats WHERE chat_id = $1 AND status <> 'migrated'
           ON CONFLICT DO NOTHING""",
        old,
        new,
    )
    await tx.execute(
        """INSERT INTO bot_chats (bot_id, chat_id, status, at, update_id) VALUES ($1, $2, 'migrated', $3, $4)
           ON CONFLICT DO NOTHING""",
        bot_id,
        old,
        moment.at,
        moment.update_id,
    )
    await tx.execute(
        "UPDATE bot_chats SET status = 'migrated', at = greatest(at, $2) WHERE chat_id = $1 AND status <> 'migrated'",
        old,
        moment.at,
    )
