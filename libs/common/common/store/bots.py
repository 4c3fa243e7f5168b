"""The bots; their tokens are ciphertext here, `telegram.secrets` opens them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from common.ids import BotId
from common.records import Bot
from common.store import slots
from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class Watched:
    """A bot that is to be looked at, and its webhook as we set it: None where we never did."""

    bot: Bot
    webhook_url: str | None
    webhook_set_at: datetime | None


async def save(tx: Tx, bot: Bot) -> None:
    """Inserts with its send slots, or replaces name and token: a revoked bot is active again, its health unknown."""
    await tx.execute(
        """INSERT INTO bots (bot_id, username, first_name, token, token_key, state) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (bot_id) DO UPDATE SET username = excluded.username, first_name = excluded.first_name,
               token = excluded.token, token_key = excluded.token_key, state = excluded.state, health = NULL,
               checked_at = NULL, updated_at = now()""",
        bot.bot_id,
        bot.username,
        bot.first_name,
        bot.token,
        bot.token_key,
        bot.state,
    )
    await slots.provide(tx)


async def get(tx: Tx, bot_id: BotId) -> Bot | None:
    """None for a bot that was never registered."""
    row = await tx.fetchrow(
        "SELECT bot_id, username, first_name, token, token_key, state FROM bots WHERE bot_id = $1", bot_id
    )
    return Bot(**dict(row)) if row else None


async def everyone(tx: Tx) -> list[Bot]:
    """By id."""
    rows = await tx.fetch("SELECT bot_id, username, first_name, token, token_key, state FROM bots ORDER BY bot_id")
    return [Bot(**dict(row)) for row in rows]


async def revoke(tx: Tx, bot_id: BotId, token: bytes) -> bool:
    """Telegram answered 401 to this token (as it is stored): no call is made with it until it is replaced.

    False where it was replaced meanwhile.
    """
    status = await tx.execute(
        "UPDATE bots SET state = 'revoked', updated_at = now() WHERE bot_id = $1 AND token = $2", bot_id, token
    )
    return bool(status.endswith(" 1"))


async def change(tx: Tx, bot_id: int, *, per_second: int | None = None, enabled: bool | None = None) -> None:
    """None leaves it as it is."""
    await tx.execute(
        """UPDATE bots SET per_second = coalesce($2, per_second), enabled = coalesce($3, enabled), updated_at = now()
           WHERE bot_id = $1""",
        bot_id,
        per_second,
        enabled,
    )


async def webhook_set(tx: Tx, bot_id: int, url: str, key: str) -> None:
    """Telegram took it; how it goes there the next check says."""
    await tx.execute(
        """UPDATE bots SET webhook_url = $2, webhook_key = $3, webhook_set_at = now(), health = NULL, checked_at = NULL,
               updated_at = now()
           WHERE bot_id = $1""",
        bot_id,
        url,
        key,
    )


async def unchecked(tx: Tx, every: timedelta, *, but: Sequence[int], limit: int) -> list[Watched]:
    """Bots in use that nobody has looked at for so long: first those who never were, then the longest ago.

    None of `but`, and none that Telegram has told to be silent. No index: bots are thousands at most, and each look
    would write it.
    """
    rows = await tx.fetch(
        """SELECT bot_id, username, first_name, token, token_key, state, webhook_url, webhook_set_at FROM bots
           WHERE state = 'active' AND enabled AND (flood_until > now()) IS NOT TRUE
               AND (checked_at > now() - $1::interval) IS NOT TRUE AND bot_id <> ALL($2::bigint[])
           ORDER BY checked_at NULLS FIRST, bot_id LIMIT $3""",
        every,
        but,
        limit,
    )
    return [_watched(**dict(row)) for row in rows]


async def checked(
    tx: Tx, bot_id: int, health: dict[str, Any], *, token: bytes, webhook_set_at: datetime | None
) -> bool:
    """What was seen just now, of this token (as it is stored) and the webhook of that time.

    False where either is another one meanwhile.
    """
    status = await tx.execute(
        """UPDATE bots SET health = $2, checked_at = now()
           WHERE bot_id = $1 AND token = $3 AND webhook_set_at IS NOT DISTINCT FROM $4""",
        bot_id,
        health,
        token,
        webhook_set_at,
    )
    return bool(status.endswith(" 1"))


async def webhook_found(tx: Tx, bot_id: int, url: str) -> None:
    """Telegram has ours, from before rows remembered it; nobody knows with which key."""
    await tx.execute("UPDATE bots SET webhook_url = $2 WHERE bot_id = $1 AND webhook_url IS NULL", bot_id, url)


def _watched(webhook_url: str | None, webhook_set_at: datetime | None, **bot: Any) -> Watched:
    return Watched(Bot(**bot), webhook_url, webhook_set_at)
