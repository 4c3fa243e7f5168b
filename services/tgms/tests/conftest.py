"""A leader that leads, for the loops that ask for one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from common.bus.publisher import Publisher
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from tgms.leader import Leader


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
