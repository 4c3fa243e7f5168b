"""The voice on a simulated Telegram, with one user who has written to it before."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from common.dbclock import DatabaseClock
from common.keys import KeyRing
from common.records import Bot
from common.registry import BotRegistry
from common.send_window import SendWindow
from common.store import bots
from common.telegram.client import BotApi
from common.telegram.floods import FloodMemory
from common.telegram.secrets import TokenVault
from common.testing.postgres import Database
from dm.dispatcher import build_dispatcher
from dm.handlers import PrivateUpdates
from dm.speaker import Speaker
from dm.texts import Texts
from dm.turns import Turns
from telegram_sim.testing import Simulation

from .driver import BOT_ID, TOKEN, User

Join = Callable[..., Awaitable[User]]


@pytest.fixture
async def sim() -> AsyncIterator[Simulation]:
    """With our bot in it."""
    async with Simulation() as running:
        await running.admin("POST", "bots", token=TOKEN, username="muster_bot", first_name="Muster")
        yield running


@pytest.fixture
async def vault(db: Database) -> TokenVault:
    """Opens what the bot's row holds."""
    vault = TokenVault(KeyRing.from_base64(f"k1:{base64.b64encode(bytes(32)).decode()}"))
    sealed, key = vault.seal(BOT_ID, TOKEN)
    async with db.transaction() as tx:
        await bots.save(tx, Bot(BOT_ID, "muster_bot", "Muster", sealed, key))
    return vault


@pytest.fixture
async def new_voice(sim: Simulation, db: Database, vault: TokenVault) -> AsyncIterator[Callable[[], PrivateUpdates]]:
    """Each call is another worker's: nothing is shared but the rows."""
    opened: list[BotApi] = []
    clock = DatabaseClock(db.pool)
    await clock.measure()

    def make() -> PrivateUpdates:
        opened.append(BotApi(sim.url, timeout=2, pacer=FloodMemory()))
        registry, turns = BotRegistry(db.pool, vault), Turns(db.pool, SendWindow(db.pool, clock))
        speaker = Speaker(db.pool, opened[-1], registry, turns, asyncio.Event())
        return PrivateUpdates(db.pool, registry, build_dispatcher(commands_per_minute=10), speaker, Texts.load())

    yield make
    for api in opened:
        await api.close()


@pytest.fixture
def voice(new_voice: Callable[[], PrivateUpdates]) -> PrivateUpdates:
    """The handler of dm_queue, as `python -m dm` wires it."""
    return new_voice()


@pytest.fixture
def join(sim: Simulation, voice: PrivateUpdates, db: Database) -> Join:
    """One more person in Telegram."""

    async def join(**person: Any) -> User:
        answer = await sim.admin("POST", "users", **{"first_name": "Ada"} | person)
        return User(sim, voice, db, answer["users"][0]["id"])

    return join


@pytest.fixture
async def ada(join: Join) -> User:
    """Speaks English and has not written yet."""
    return await join()
