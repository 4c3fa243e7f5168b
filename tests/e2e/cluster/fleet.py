"""Bots with groups of their own, broadcasts to them by the API, and the judgement: the ledger beside Telegram's log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from common.errors import StoreUnavailable
from common.ids import BotId, ChatId
from common.key_changes import Actor, make
from common.key_changes import Wish as KeyWish
from common.keys import KeyRing, WebhookSecrets
from common.store import groups
from common.store.pool import Pool
from common.telegram.secrets import TokenVault
from common.testing.polling import eventually
from faults import evidence
from faults.attribution import numbered
from faults.cast import Cast, introduce
from faults.sendings import Arrival, Audit, Sendings, audit
from faults.telegram import SimulatedBot, Telegram

from .site import Site

AWAY: Final = (aiohttp.ClientError, TimeoutError, StoreUnavailable, OSError)
HOOK: Final = "http://muster-ingress/api/webhooks/telegram"  # as the simulated Telegram sees it
_AGAIN: Final = 0.3  # seconds until a request that was not taken is made again, under the same Idempotency-Key


@dataclass
class Fleet:
    """What one test made; the database may hold others' rows beside."""

    site: Site
    http: aiohttp.ClientSession
    pool: Pool
    telegram: Telegram
    cast: Cast = field(repr=False)
    key: str = field(default="", repr=False)
    chats: dict[int, dict[int, int]] = field(default_factory=dict)  # by bot: group ids and their chats
    targets: dict[int, frozenset[int]] = field(default_factory=dict)  # by a broadcast's number
    numbers: dict[int, int] = field(default_factory=dict)  # a broadcast's number by its id
    doubtful: set[int] = field(default_factory=set)

    async def grow(self, bots: int, groups_each: int) -> None:
        """So many bots with so many groups each."""
        for _ in range(bots):
            bot = await introduce(self.cast, self.telegram, self.pool)
            chats = await self.telegram.add_groups(bot.bot_id, groups_each)
            async with self.pool.transaction("groups") as tx:
                self.chats[bot.bot_id] = {
                    await groups.register(tx, BotId(bot.bot_id), ChatId(chat), title="Group", kind="supergroup"): chat
                    for chat in chats
                }

    async def hire(self) -> SimulatedBot:
        """A bot registered by the API, which sets its webhook."""
        bot = await self.telegram.add_bot()
        await self.ask("POST", "/api/bots", {"token": bot.token, "webhook": True})
        return bot

    async def ask(self, method: str, path: str, body: object = None, *, key: str = "") -> Any:
        """The API's JSON, asked for until it is taken; AssertionError for a refusal."""
        headers = {"Authorization": f"Bearer {self.key}"} | ({"Idempotency-Key": key} if key else {})
        while True:
            status, answer = 0, None
            try:
                timeout = aiohttp.ClientTimeout(total=20)
                url = self.site.url("ingress") + path
                async with self.http.request(method, url, json=body, headers=headers, timeout=timeout) as response:
                    status, answer = response.status, await response.json()
            except AWAY:
                pass  # what is broken is to be broken
            if 200 <= status < 300:
                return answer
            assert status in {0, 409, 503}, f"the API answered {status}: {answer}"
            await asyncio.sleep(_AGAIN)

    async def broadcast(self, bots: list[int] | None = None, *, limit: int | None = None) -> int:
        """One text to all groups of these bots, or of all; its number."""
        number = self.cast.numbers.next()
        chosen = {group: chat for bot in bots or self.chats for group, chat in self.chats[bot].items()}
        chosen = dict(list(chosen.items())[:limit])
        message = {"type": "text", "text": f"{numbered(number)} to {{{{title}}}}"}
        self.targets[number] = frozenset(chosen.values())
        body = {"message": message, "targets": {"group_ids": list(chosen)}}
        answer = await self.ask("POST", "/api/send_messages", body, key=numbered(number))
        self.numbers[int(answer["broadcast_id"])] = number
        return number

    async def arrivals(self) -> list[Arrival]:
        """Of all bots, in time's order."""
        found = [each for bot in self.chats for each in await self.telegram.arrivals(bot, None)]
        return sorted(found, key=lambda each: each.at)

    async def delivered(self) -> int:
        """Messages that Telegram took."""
        return sum(each.delivered for each in await self.arrivals())

    async def open(self) -> int:
        """Deliveries that are still to end."""
        return (await evidence.open_deliveries(self.pool, list(self.chats))).total()

    async def ended(self, *, within: float) -> None:
        """Every delivery has its end and every slot is free."""

        async def all_ended() -> bool:
            try:
                return not await self.open() and not await evidence.holds(self.pool, list(self.chats))
            except AWAY:
                return False

        await patiently(all_ended, within=within, what="every delivery has ended, and every slot is free")

    async def judged(self) -> Audit:
        """The ledger beside the simulator's effect log."""
        rows = await evidence.ledger(self.pool, self.numbers)
        held = await evidence.holds(self.pool, list(self.chats))
        return audit(Sendings(self.targets, rows, await self.arrivals(), frozenset(self.doubtful), held))


async def patiently(look: Any, *, within: float, what: str, every: float = 0.5) -> Any:
    """`eventually` for looks that cost something."""

    async def slowly() -> Any:
        found = await look()
        if not found:
            await asyncio.sleep(every)
        return found

    return await eventually(slowly, within=within, what=what)


async def back(site: Site, part: str, since: float) -> bool:
    """Ready, in a pod that was made after that."""
    pods = await asyncio.to_thread(site.cluster.pods, part)
    ready = await asyncio.to_thread(site.cluster.ready, part)
    made = {pod.metadata.name: pod.metadata.creation_timestamp.timestamp() for pod in pods}
    return any(made.get(name, 0) >= int(since) for name in ready)


@asynccontextmanager
async def assembled(site: Site) -> AsyncIterator[Fleet]:
    """Nobody yet; a key that may do everything."""
    secret = site.cluster.secret("muster")
    ring = WebhookSecrets(KeyRing.from_hex(secret["MUSTER_WEBHOOK_KEYS"]))
    cast = Cast([], [], ring, TokenVault(KeyRing.from_base64(secret["MUSTER_ENCRYPTION_KEYS"])))
    cast.numbers.last = int(time.time()) % 9_000_000  # a namespace that is kept has earlier runs' numbers
    pool = Pool(site.dsn("DATABASE_URL", "postgres"), name="muster-e2e", max_size=3, timeout=10)
    try:
        async with aiohttp.ClientSession() as http:
            fleet = Fleet(site, http, pool, Telegram(site.url("telegram"), http), cast)
            async with pool.transaction("api key") as tx:
                wish = KeyWish("e2e", ["*"], per_second=1000, burst=1000)
                fleet.key = (await make(tx, wish, Actor("cli:e2e"), env="test"))[0].text
            yield fleet
    finally:
        await pool.close()
