"""The bots and the people of one run, registered as an operator would."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from common.ids import BotId
from common.keys import KeyRing, WebhookSecrets
from common.records import Bot
from common.store import bots
from common.store.pool import Pool
from common.telegram.secrets import TokenVault
from stack.keys import Secrets

from faults.attribution import numbered
from faults.telegram import SimulatedBot, Telegram


@dataclass
class Person:
    """One user in the chat with one bot, and what they write next."""

    bot_id: int
    user: dict[str, Any]
    step: int = 0
    messages: int = 1


@dataclass
class Numbers:
    """One after the other, for the whole run."""

    last: int = 0

    def next(self) -> int:
        """Never the same twice."""
        self.last += 1
        return self.last


@dataclass
class Cast:
    """Bots whose webhooks are set, their people, and the secrets that prove them."""

    bots: list[SimulatedBot]
    people: list[Person]
    webhooks: WebhookSecrets
    vault: TokenVault
    hooked: list[int] = field(default_factory=list)  # bots whose updates Telegram brings
    numbers: Numbers = field(default_factory=Numbers)

    def secret(self, bot_id: int) -> str:
        """What Telegram sends with that bot's updates."""
        return self.webhooks.secret(BotId(bot_id))


async def hire(telegram: Telegram, pool: Pool, secrets: Secrets, webhook_url: str, *, bots_: int, people: int) -> Cast:
    """The people are spread over the bots; nobody has written yet."""
    ring = WebhookSecrets(KeyRing.from_hex(secrets.webhook_keys))
    cast = Cast([], [], ring, TokenVault(KeyRing.from_base64(secrets.encryption_keys)))
    for _ in range(bots_):
        await add_bot(cast, telegram, pool, webhook_url)
    for nth in range(people):
        cast.people.append(await new_person(cast, telegram, cast.bots[nth % bots_].bot_id))
    return cast


async def add_bot(cast: Cast, telegram: Telegram, pool: Pool, webhook_url: str | None) -> SimulatedBot:
    """Known to Muster; without a URL the battery brings its updates itself."""
    bot = await introduce(cast, telegram, pool)
    if webhook_url is not None:
        await telegram.set_webhook(bot, webhook_url, cast.secret(bot.bot_id))
        cast.hooked.append(bot.bot_id)
    cast.bots.append(bot)
    return bot


async def introduce(cast: Cast, telegram: Telegram, pool: Pool) -> SimulatedBot:
    """Known to Muster, and nobody writes to it."""
    bot = await telegram.add_bot()
    sealed, key = cast.vault.seal(BotId(bot.bot_id), bot.token)
    async with pool.transaction("save bot") as tx:
        await bots.save(tx, Bot(BotId(bot.bot_id), bot.username, bot.username, sealed, key))
    return bot


async def new_person(cast: Cast, telegram: Telegram, bot_id: int) -> Person:
    """Named by a number, which their first reply carries."""
    return Person(bot_id, await telegram.add_user(numbered(cast.numbers.next())))


def shuffled(people: list[Person], rng: Random) -> list[Person]:
    """A new order for each round through them."""
    return rng.sample(people, len(people))
