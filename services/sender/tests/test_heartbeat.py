"""A sender begins nothing before the brain can know that it lives."""

from __future__ import annotations

import asyncio
import logging
import math

import pytest
from common import clock
from common.store import reaping
from common.store.pool import Pool
from common.testing.polling import eventually
from common.testing.postgres import Database
from common.testing.tcp_proxy import TcpProxy
from sender import heartbeat
from sender.heartbeat import Life

from .conftest import Fleet
from .test_in_doubt import one_sending, slotted_again

BEAT_AT = "SELECT beat_at FROM workers WHERE owner = 'me'"


async def test_it_has_begun_when_the_first_beat_is_written_and_not_before(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A new pod's first connections may be refused: its broker's are let through, and its first beat is not."""
    stop, life = asyncio.Event(), Life("me", asyncio.Event())
    async with TcpProxy.before(db.url) as proxy:
        proxy.refuse = True
        pool = Pool(proxy.through(db.url), name="sender", max_size=1, timeout=1)
        with caplog.at_level(logging.WARNING):
            beating = asyncio.create_task(heartbeat.run(stop, pool, life))
            await asyncio.sleep(0.7)
            assert not life.begun.is_set()
            proxy.heal()
            await asyncio.wait_for(life.begun.wait(), 5)
        async with db.transaction() as tx:
            assert await tx.fetchval("SELECT beat_at > now() - interval '5 s' FROM workers WHERE owner = 'me'")
        stop.set()
        await beating
        await pool.close()
    assert [record.getMessage() for record in caplog.records] == ["no heartbeat"]


@pytest.mark.parametrize("fault", ["cut", "lose"])
async def test_it_goes_on_through_an_outage(db: Database, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """A connection that is lost without a word takes seconds to be given up: the next beat takes another."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.05)
    monkeypatch.setattr(heartbeat, "_PATIENCE", 0.3)
    stop, life = asyncio.Event(), Life("me", asyncio.Event())
    async with TcpProxy.before(db.url) as proxy:
        pool = Pool(proxy.through(db.url), name="sender", max_size=4, timeout=5)
        beating = asyncio.create_task(heartbeat.run(stop, pool, life))
        await asyncio.wait_for(life.begun.wait(), 5)
        getattr(proxy, fault)()
        async with db.transaction() as tx:
            last = await tx.fetchval("SELECT clock_timestamp()")

        async def later() -> bool:
            async with db.transaction() as tx:
                return bool(await tx.fetchval(BEAT_AT) > last)

        await eventually(later, within=3)
        stop.set()
        await beating
        proxy.reset()
        await pool.close()


async def test_a_beat_that_comes_late_sets_no_later_one_back(db: Database) -> None:
    life = Life("me", asyncio.Event())
    async with db.transaction() as late:
        await late.execute("SELECT 1")
        await heartbeat.beat(db.pool, life)
        async with db.transaction() as tx:
            before = await tx.fetchval(BEAT_AT)
        await reaping.beat(late, "me")
    async with db.transaction() as tx:
        assert await tx.fetchval(BEAT_AT) > before
    life.told(-math.inf)
    await asyncio.wait_for(life.goes_on(), 0.1)


async def test_nothing_is_begun_while_the_last_beat_is_old(fleet: Fleet) -> None:
    """Its owner would be taken for dead before its call can be made."""
    broadcast_id, job = await one_sending(fleet)
    await slotted_again(fleet)
    life = fleet.handle._ledger.life = Life("test-sender", asyncio.Event())
    life.told(clock.uptime() - heartbeat.KNOWN - 0.1)
    handling = asyncio.create_task(fleet.handle(job))
    await asyncio.sleep(0.5)
    assert set((await fleet.ledger(broadcast_id)).values()) == {"slotted"}
    life.told(clock.uptime())
    await handling
    assert set((await fleet.ledger(broadcast_id)).values()) == {"sent"}
