"""`bot`: registers a bot with its token checked, encrypted, and its webhook set."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from common.bot_admin import BotAdmin, administering
from common.bot_token import bot_of
from common.cli.output import operator, tell
from common.errors import ConfigurationError
from common.key_changes import Actor
from common.keys import KeyRing, WebhookSecrets
from common.settings import DatabaseSettings, TelegramSettings, TokenKeySettings, WebhookKeySettings
from common.store import bots
from common.store.pool import Pool


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
    token = _token()
    async with _administering() as admin:
        bot = await admin.register(token, _actor(), webhook_url=options.webhook_url, replace=True)
    tell(id=bot.bot_id, username=bot.username, webhook_url=options.webhook_url)
    return 0


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
    async with _administering() as admin:
        tell(**await admin.webhook_info(options.bot_id, _actor()))
    return 0


@asynccontextmanager
async def _administering() -> AsyncIterator[BotAdmin]:
    settings = BotSettings.load()
    keys = KeyRing.from_base64(settings.encryption_keys.get_secret_value())
    secrets = WebhookSecrets(KeyRing.from_hex(settings.webhook_keys.get_secret_value()))
    pool = _pool(settings)
    try:
        async with administering(
            pool, keys, secrets, url=settings.telegram_api_url, timeout=settings.telegram_timeout
        ) as admin:
            yield admin
    finally:
        await pool.close()


def _actor() -> Actor:
    return Actor(operator())


def _token() -> str:
    token = (os.environ.get("TELEGRAM_BOT_TOKEN") or ("" if sys.stdin.isatty() else sys.stdin.readline())).strip()
    if bot_of(token) is None:
        raise ConfigurationError(
            "no bot token, or not a whole one: give @BotFather's, such as 123456789:AA…, in TELEGRAM_BOT_TOKEN or on "
            "standard input"
        )
    return token


def _pool(settings: DatabaseSettings) -> Pool:
    return Pool(
        settings.database_url.get_secret_value(), name="muster-cli", max_size=1, timeout=settings.database_timeout
    )
