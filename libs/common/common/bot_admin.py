"""Bots registered, checked and given their webhooks: the same for the operators' verb and for the API.

Telegram is asked outside of transactions: a row that waits for it would hold up whoever sends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from common import bot_check
from common.bot_health import ALLOWED_UPDATES
from common.bot_token import bot_of
from common.errors import AppError, ConfigurationError
from common.ids import BotId
from common.key_changes import Actor
from common.keys import KeyRing, WebhookSecrets
from common.records import Bot
from common.store import audit, bot_views, bots
from common.store.audit import Entry
from common.store.bot_views import BotView
from common.store.pool import Pool, Tx
from common.telegram.client import BotAccess, BotApi
from common.telegram.errors import Flood
from common.telegram.floods import FloodMemory
from common.telegram.refusals import an_object, asking
from common.telegram.secrets import TokenVault

_SHORT = 3.0  # seconds of a flood that are waited for: setWebhook may be called once a second (W12)


class BotAdmin:
    """AppError for whatever can't be done; no token and no foreign address is in any."""

    def __init__(self, pool: Pool, api: BotApi, vault: TokenVault, secrets: WebhookSecrets) -> None:
        self._pool = pool
        self._api = api
        self._vault = vault
        self._secrets = secrets

    async def register(
        self,
        token: str,
        actor: Actor,
        *,
        webhook_url: str | None = None,
        per_second: int | None = None,
        replace: bool = False,
    ) -> BotView:
        """Checked with getMe and kept before its webhook is set, so that no update finds it missing.

        Begun anew after a kill in the middle it does the same. Another token of a known bot only with `replace`;
        without `webhook_url` the webhook is left as it is.
        """
        access = _access(token)
        if actor.bot_ids is not None and access.bot_id not in actor.bot_ids:
            raise AppError("beyond_bots", 403, "the key is limited to some bots, and this is none of them")
        me = await self._me(access)
        async with self._pool.transaction("register bot") as tx:
            known = await bots.get(tx, access.bot_id)
            if known is not None and not (replace or self._opens_to(known, token)):
                raise AppError("bot_exists", 409, "this bot is registered with another token: replace that one")
            before = await bot_views.get(tx, access.bot_id, None)
            await bots.save(tx, self._row(access, me))
            await bots.change(tx, access.bot_id, per_second=per_second)
            after = await self._note(tx, actor, "bot.register", access.bot_id, before)
        return await self._set_webhook(access, webhook_url, actor) if webhook_url else after

    async def replace_token(self, bot_id: int, token: str, actor: Actor) -> BotView:
        """And its webhook once more, for Telegram keeps that by the token."""
        access = _access(token)
        async with self._pool.transaction("find bot") as tx:
            before = await _known(tx, bot_id, actor)
        if access.bot_id != bot_id:
            raise AppError("token_of_another_bot", 422, "this token is another bot's")
        me = await self._me(access)
        async with self._pool.transaction("replace token") as tx:
            await bots.save(tx, self._row(access, me))
            after = await self._note(tx, actor, "bot.replace_token", access.bot_id, before)
        return await self._set_webhook(access, before.webhook_url, actor) if before.webhook_url else after

    async def rotate_secret(self, bot_id: int, public_url: str | None, actor: Actor) -> BotView:
        """The webhook again, with a secret of the current key. Nothing is lost: the old key's are still accepted."""
        access, row, view = await self._open(bot_id, actor)
        if row.state == "revoked":
            raise AppError("token_revoked", 409, "Telegram does not know the bot's token any more: replace it")
        url = view.webhook_url or await self._found_ours(access, public_url)
        return await self._set_webhook(access, url, actor, action="bot.rotate_secret")

    async def check(self, bot_id: int, public_url: str | None, actor: Actor) -> BotView:
        """Asks Telegram how the bot and its webhook are, and keeps the answer in its row if that is still the same."""
        access, row, view = await self._open(bot_id, actor)
        with asking():
            health = await bot_check.ask(self._api, access, expected_url=view.webhook_url or public_url)
        async with self._pool.transaction("check bot") as tx:
            if health.webhook == "ours" and public_url is not None:
                await bots.webhook_found(tx, bot_id, public_url)
            await bot_check.keep(tx, row, health, webhook_set_at=view.webhook_set_at)
            return await _known(tx, bot_id, actor)

    async def webhook_info(self, bot_id: int, actor: Actor) -> dict[str, Any]:
        """As Telegram says it: for operators at a terminal."""
        access, _, _ = await self._open(bot_id, actor)
        with asking():
            return an_object(await self._api.call(access, "getWebhookInfo"))

    async def _found_ours(self, access: BotAccess, public_url: str | None) -> str:
        """Of a bot whose webhook was set before rows remembered it; AppError where it is nobody's or another's."""
        with asking():
            info = an_object(await self._api.call(access, "getWebhookInfo"))
        if public_url is None or info.get("url") != public_url:
            raise AppError(
                "webhook_not_ours", 409, "Telegram posts this bot's updates elsewhere or nowhere: register it"
            )
        return public_url

    async def _set_webhook(
        self, access: BotAccess, url: str, actor: Actor, *, action: str = "bot.set_webhook"
    ) -> BotView:
        secret = self._secrets.secret(access.bot_id)
        params = {"url": url, "secret_token": secret, "allowed_updates": list(ALLOWED_UPDATES)}
        with asking():
            try:
                await self._api.call(access, "setWebhook", params)
            except Flood as flood:
                if flood.retry_after > _SHORT:
                    raise
                await self._api.call(access, "setWebhook", params)  # the pacer waits until it may be asked
        async with self._pool.transaction("webhook set") as tx:
            before = await bot_views.get(tx, access.bot_id, None)
            await bots.webhook_set(tx, access.bot_id, url, self._secrets.current)
            return await self._note(tx, actor, action, access.bot_id, before)

    async def _me(self, access: BotAccess) -> Mapping[str, Any]:
        with asking():
            me = an_object(await self._api.call(access, "getMe"))
        if me.get("id") != access.bot_id or not me.get("is_bot", True):
            raise AppError("token_refused", 422, "Telegram does not say of this token that it is this bot's")
        return me

    async def _open(self, bot_id: int, actor: Actor) -> tuple[BotAccess, Bot, BotView]:
        async with self._pool.transaction("find bot") as tx:
            view = await _known(tx, bot_id, actor)
            row = await bots.get(tx, BotId(bot_id))
        if row is None:  # between two statements of one transaction
            raise _none()
        return BotAccess(row.bot_id, self._vault.open(row.bot_id, row.token, row.token_key)), row, view

    def _row(self, access: BotAccess, me: Mapping[str, Any]) -> Bot:
        sealed, key = self._vault.seal(access.bot_id, access.token)
        return Bot(access.bot_id, _text(me.get("username")), _text(me.get("first_name")), sealed, key)

    def _opens_to(self, row: Bot, token: str) -> bool:
        try:
            return self._vault.open(row.bot_id, row.token, row.token_key) == token
        except ConfigurationError:  # its key is gone: nobody can say
            return False

    async def _note(self, tx: Tx, actor: Actor, action: str, bot_id: BotId, before: BotView | None) -> BotView:
        after = await bot_views.get(tx, bot_id, None)
        if after is None:  # written in this transaction
            raise AssertionError
        facts = before.settings() if before else None
        entry = Entry(actor.name, action, f"bot:{bot_id}", facts, after.settings(), [bot_id], actor.ip, actor.trace_id)
        await audit.record(tx, entry)
        return after


@asynccontextmanager
async def administering(
    pool: Pool,
    keys: KeyRing,
    secrets: WebhookSecrets,
    *,
    url: str,
    timeout: float,  # noqa: ASYNC109 (of one call)
) -> AsyncIterator[BotAdmin]:
    """With connections to that Bot API server; `timeout` bounds one call, in seconds."""
    api = BotApi(url, timeout=timeout, pacer=FloodMemory())
    try:
        yield BotAdmin(pool, api, TokenVault(keys), secrets)
    finally:
        await api.close()


async def _known(tx: Tx, bot_id: int, actor: Actor) -> BotView:
    view = await bot_views.get(tx, bot_id, actor.bot_ids)
    if view is None:
        raise _none()
    return view


def _none() -> AppError:
    return AppError("bot_not_found", 404, "there is no such bot")


def _access(token: str) -> BotAccess:
    bot_id = bot_of(token)
    if bot_id is None:
        raise AppError("no_token", 422, "this is no whole bot token, such as 123456789:AA… of @BotFather")
    return BotAccess(bot_id, token)


def _text(value: object) -> str:
    return value.replace("\0", "")[:255] if isinstance(value, str) else ""
