"""The bots of this fleet with their tokens opened, kept for a short while so that a job costs no look-up."""

from __future__ import annotations

import time
from datetime import timedelta

from common.errors import Reject
from common.ids import BotId
from common.records import Bot
from common.store import bots
from common.store.pool import Pool
from common.telegram.client import BotAccess
from common.telegram.secrets import TokenVault

_TTL = timedelta(seconds=30)  # how long a replaced token may still be used


class BotRegistry:
    """One a process; forgets a bot as soon as it is told that its token was revoked."""

    def __init__(self, pool: Pool, vault: TokenVault) -> None:
        self._pool = pool
        self._vault = vault
        self._known: dict[BotId, tuple[float, Bot, BotAccess]] = {}

    async def access(self, bot_id: BotId) -> BotAccess:
        """Reject for a bot that is unknown or revoked: its jobs wait in the dead letters until it is back."""
        _, _, access = await self._get(bot_id)
        return access

    async def bot(self, bot_id: BotId) -> Bot:
        """The row; Reject as `access`."""
        _, bot, _ = await self._get(bot_id)
        return bot

    async def revoked(self, access: BotAccess) -> bool:
        """Telegram said so of this token: written down, and False where the bot has another one by now."""
        self._known.pop(access.bot_id, None)
        async with self._pool.transaction("revoke bot") as tx:
            bot = await bots.get(tx, access.bot_id)
            if bot is None or self._vault.open(bot.bot_id, bot.token, bot.token_key) != access.token:
                return False
            return await bots.revoke(tx, bot.bot_id, bot.token)

    async def _get(self, bot_id: BotId) -> tuple[float, Bot, BotAccess]:
        known = self._known.get(bot_id)
        if known is not None and known[0] > time.monotonic():
            return known
        async with self._pool.transaction("load bot") as tx:
            bot = await bots.get(tx, bot_id)
        if bot is None:
            raise Reject("the bot is not registered: python -m common bot add")
        if bot.state == "revoked":
            raise Reject("the bot's token was revoked: give it a new one with python -m common bot add")
        access = BotAccess(bot_id, self._vault.open(bot_id, bot.token, bot.token_key))
        self._known[bot_id] = found = (time.monotonic() + _TTL.total_seconds(), bot, access)
        return found
