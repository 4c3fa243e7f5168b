"""One look at a bot: what Telegram is asked, in no transaction, and what of its answer is kept."""

from __future__ import annotations

from datetime import datetime

from common.bot_health import REVOKED, Health, judge
from common.clock import utc_now
from common.records import Bot
from common.store import bots
from common.store.pool import Tx
from common.telegram.client import BotAccess, BotApi
from common.telegram.errors import TokenRevoked
from common.telegram.refusals import an_object


async def ask(api: BotApi, access: BotAccess, *, expected_url: str | None) -> Health:
    """`expected_url` is None where nobody knows whose webhook it should be; a revoked token is an answer, too."""
    try:
        me = await api.call(access, "getMe")
        info = await api.call(access, "getWebhookInfo")
    except TokenRevoked:
        return REVOKED
    return judge(an_object(me), an_object(info), expected_url=expected_url, now=utc_now())


async def keep(tx: Tx, row: Bot, health: Health, *, webhook_set_at: datetime | None) -> bool:
    """False where the bot has another token or webhook than the row that Telegram was asked about: nothing is kept."""
    if health is REVOKED:
        await bots.revoke(tx, row.bot_id, row.token)
    return await bots.checked(tx, row.bot_id, health.facts(), token=row.token, webhook_set_at=webhook_set_at)
