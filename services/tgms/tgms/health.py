"""The loop that looks at each bot by itself, so that a dead webhook or a revoked token is noticed when nobody asks.

What could not be asked is remembered here and in no row: its row goes on saying what was last seen, and when. A new
leader may so ask it once more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta

from common import bot_check
from common.bot_health import REVOKED, Health
from common.errors import MusterError
from common.ids import BotId
from common.store import bots
from common.store.bots import Watched
from common.store.pool import Pool
from common.telegram.client import BotAccess, BotApi
from common.telegram.secrets import TokenVault
from common.telemetry.redact import describe, frames

from tgms.leader import Leader
from tgms.rounds import rounds

# As long as a webhook's failure counts as recent (bot_health): none comes and goes between two looks.
_EVERY = timedelta(minutes=10)
_AT_ONCE = 4  # bots in a round: with answers in 0.1 s some 3,500 have their turn in that time, more wait for it longer
_INTERVAL = 0.5  # seconds between rounds
_log = logging.getLogger(__name__)


class HealthWatch:
    """Only the leader, and no look is in the audit trail: it changes nothing that anybody set."""

    def __init__(self, pool: Pool, leader: Leader, api: BotApi, vault: TokenVault) -> None:
        self._pool = pool
        self._leader = leader
        self._api = api
        self._vault = vault
        self._not_before: dict[BotId, float] = {}  # of bots that could not be asked, until they could

    async def run(self, stop: asyncio.Event) -> None:
        """Twice a second, a few of those whose turn it is. The stop does not wait for Telegram: looks only read."""
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(rounds("health", self._round, stop, self._leader, interval=_INTERVAL))
            await stop.wait()
            looking.cancel()

    async def _round(self) -> None:
        now = time.monotonic()
        resting = [bot_id for bot_id, until in self._not_before.items() if until > now]
        async with self._pool.transaction("bots to look at") as tx:
            await self._leader.fence(tx)
            due = await bots.unchecked(tx, _EVERY, but=resting, limit=_AT_ONCE)
        answers = await asyncio.gather(*(self._ask(each) for each in due), return_exceptions=True)
        for each, answer in zip(due, answers, strict=True):
            if isinstance(answer, Health):
                await self._keep(each, answer)
            else:
                self._put_off(each.bot.bot_id, answer)

    async def _ask(self, each: Watched) -> Health:
        bot = each.bot
        access = BotAccess(bot.bot_id, self._vault.open(bot.bot_id, bot.token, bot.token_key))
        return await bot_check.ask(self._api, access, expected_url=each.webhook_url)

    async def _keep(self, each: Watched, health: Health) -> None:
        async with self._pool.transaction("bot looked at") as tx:
            await self._leader.fence(tx)
            kept = await bot_check.keep(tx, each.bot, health, webhook_set_at=each.webhook_set_at)
        self._not_before.pop(each.bot.bot_id, None)
        if kept and health is REVOKED:
            _log.warning("a bot's token is revoked", extra={"bot_id": each.bot.bot_id})

    def _put_off(self, bot_id: BotId, error: BaseException) -> None:
        """Whatever it was, even a surprise: the others have their turn, and it has another. Told once an outage."""
        told = bot_id in self._not_before
        self._not_before[bot_id] = time.monotonic() + _EVERY.total_seconds()
        if not isinstance(error, MusterError):
            _log.error("surprise", extra={"error": describe(error), "where": frames(error.__traceback__)[-5:]})
        elif not told:
            _log.warning("a bot can't be looked at", extra={"error": describe(error), "bot_id": bot_id})
