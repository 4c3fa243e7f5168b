"""`bot`: registers a bot with its token checked, encrypted, and its webhook set."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from typing import Any

from common.cli.output import tell
from common.errors import ConfigurationError
from common.ids import BotId
from common.keys import KeyRing, WebhookSecrets
from common.records import Bot
from common.registry import BotRegistry
from common.settings import DatabaseSettings, TelegramSettings, TokenKeySettings, WebhookKeySettings
from common.store import bots
from common.store.pool import Pool
from common.telegram.client import BotAccess, BotApi
from common.telegram.floods import FloodMemory
from common.telegram.secrets import TokenVault

# Explicit: Telegram leaves out chat_member and reactions by default, and keeps the last list where none is given (W11).
ALLOWED_UPDATES = (
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "message_reaction",
    "message_reaction_count",
    "poll_answer",
)


class BotSettings(DatabaseSettings, TokenKeySettings, WebhookKeySettings, TelegramSettings):
    """What registering a bot needs."""


def add_verbs(verbs: Any) -> None:
    """To the parser."""
    root = verbs.add_parser("bot", help="register a bot, list the bots, look at a webhook")
    actions = root.add_subparsers(required=True, metavar="ACTION")
    adding = actions.add_parser(
        "add", help="register a bot or replace its token; the token comes from TELEGRAM_BOT_TOKEN or standard input"
    )
    adding.add_argument(
        "--webhook-url", help="https://…/api/webhooks/telegram; without it the webhook is left as it is"
    )
    adding.set_defaults(run=_add)
    actions.add_parser("list", help="one line a bot").set_defaults(run=_list)
    looking = actions.add_parser("webhook", help="what Telegram says of a bot's webhook")
    looking.add_argument("bot_id", type=int)
    looking.set_defaults(run=_webhook)


async def _add(options: Namespace) -> int:
    settings = BotSettings.load()
    token = _token()
    access = BotAccess(BotId(int(token.partition(":")[0])), token)
    vault = TokenVault(KeyRing.from_base64(settings.encryption_keys.get_secret_value()))
    api, pool = _api(settings), _pool(settings)
    try:
        me = await api.call(access, "getMe")
        sealed, key = vault.seal(access.bot_id, token)
        async with pool.transaction("save bot") as tx:
            await bots.save(tx, Bot(access.bot_id, me["username"], me["first_name"], sealed, key))
        if options.webhook_url:
            await _set_webhook(api, access, settings, options.webhook_url)
    finally:
        await api.close()
        await pool.close()
    tell(id=access.bot_id, username=me["username"], webhook_url=options.webhook_url)
    return 0


async def _set_webhook(api: BotApi, access: BotAccess, settings: BotSettings, url: str) -> None:
    secrets = WebhookSecrets(KeyRing.from_hex(settings.webhook_keys.get_secret_value()))
    params = {"url": url, "secret_token": secrets.secret(access.bot_id), "allowed_updates": list(ALLOWED_UPDATES)}
    await api.call(access, "setWebhook", params)


async def _list(_: Namespace) -> int:
    pool = _pool(DatabaseSettings.load())
    try:
        async with pool.transaction("list bots") as tx:
            found = await bots.everyone(tx)
    finally:
        await pool.close()
    for bot in found:
        tell(id=bot.bot_id, username=bot.username, state=bot.state)
    return 0


async def _webhook(options: Namespace) -> int:
    settings = BotSettings.load()
    api, pool = _api(settings), _pool(settings)
    vault = TokenVault(KeyRing.from_base64(settings.encryption_keys.get_secret_value()))
    try:
        access = await BotRegistry(pool, vault).access(BotId(options.bot_id))
        tell(**await api.call(access, "getWebhookInfo"))
    finally:
        await api.close()
        await pool.close()
    return 0


def _token() -> str:
    token = (os.environ.get("TELEGRAM_BOT_TOKEN") or ("" if sys.stdin.isatty() else sys.stdin.readline())).strip()
    if not (token.partition(":")[0].isdigit() and len(token.partition(":")[2]) >= 30):
        raise ConfigurationError(
            "no bot token, or not a whole one: give @BotFather's, such as 123456789:AA…, in TELEGRAM_BOT_TOKEN or on "
            "standard input"
        )
    return token


def _api(settings: TelegramSettings) -> BotApi:
    return BotApi(settings.telegram_api_url, timeout=settings.telegram_timeout, pacer=FloodMemory())


def _pool(settings: DatabaseSettings) -> Pool:
    return Pool(
        settings.database_url.get_secret_value(), name="muster-cli", max_size=1, timeout=settings.database_timeout
    )
