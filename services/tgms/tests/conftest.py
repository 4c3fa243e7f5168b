"""A leader that leads, for the loops that ask for one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from common.bus.publisher import Publisher
from common.ids import BotId
from common.store import bots
from common.testing.builders import make_bot
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from telegram_sim.testing import Simulation
from tgms.handlers import Updates
from tgms.leader import Leader

from .town import Town


@pytest.fixture
async def leader(db: Database) -> AsyncIterator[Leader]:
    """Elected, and renewed for as long as the test takes."""
    stop, leader = asyncio.Event(), Leader(db.pool, ttl=5)
    running = asyncio.create_task(leader.run(stop))
    assert await leader.elected(5)
    yield leader
    stop.set()
    await running


@pytest.fixture
async def publisher(broker: Broker) -> AsyncIterator[Publisher]:
    """To the shared broker."""
    publisher = Publisher(broker.url, "muster-test", timeout=2)
    yield publisher
    await publisher.close()


@pytest.fixture
async def town(db: Database) -> AsyncIterator[Town]:
    async with Simulation() as sim:
        here = Town(sim, db, Updates(db.pool))
        for _ in range(2):
            bot = await sim.admin("POST", "bots")
            here.tokens[bot["id"]] = bot["token"]
            async with db.transaction() as tx:
                await bots.save(tx, make_bot(bot_id=BotId(bot["id"])))
        yield here


@pytest.fixture
def bot_id(town: Town) -> int:
    return next(iter(town.tokens))


@pytest.fixture
def other_id(town: Town) -> int:
    return list(town.tokens)[1]
