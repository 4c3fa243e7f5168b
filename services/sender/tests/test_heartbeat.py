"""A sender begins nothing before the brain can know that it lives."""

from __future__ import annotations

import asyncio
import logging

import pytest
from common.store.pool import Pool
from common.testing.polling import eventually
from common.testing.postgres import Database
from common.testing.tcp_proxy import TcpProxy
from sender import heartbeat


async def test_it_has_begun_when_the_first_beat_is_written_and_not_before(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A new pod's first connections may be refused: its broker's are let through, and its first beat is not."""
    stop, begun = asyncio.Event(), asyncio.Event()
    async with TcpProxy.before(db.url) as proxy:
        proxy.refuse = True
        pool = Pool(proxy.through(db.url), name="sender", max_size=1, timeout=1)
        with caplog.at_level(logging.WARNING):
            beating = asyncio.create_task(heartbeat.run(stop, pool, "me", begun))
            await asyncio.sleep(0.7)
            assert not begun.is_set()
            proxy.heal()
            await asyncio.wait_for(begun.wait(), 5)
        async with db.transaction() as tx:
            assert await tx.fetchval("SELECT beat_at > now() - interval '5 s' FROM workers WHERE owner = 'me'")
        stop.set()
        await beating
        await pool.close()
    assert [record.getMessage() for record in caplog.records] == ["no heartbeat"]


async def test_it_goes_on_through_an_outage(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.05)
    stop, begun = asyncio.Event(), asyncio.Event()
    async with TcpProxy.before(db.url) as proxy:
        pool = Pool(proxy.through(db.url), name="sender", max_size=1, timeout=1)
        beating = asyncio.create_task(heartbeat.run(stop, pool, "me", begun))
        await asyncio.wait_for(begun.wait(), 5)
        proxy.cut()
        async with db.transaction() as tx:
            last = await tx.fetchval("SELECT clock_timestamp()")

        async def later() -> bool:
            async with db.transaction() as tx:
                return bool(await tx.fetchval("SELECT beat_at > $1 FROM workers WHERE owner = 'me'", last))

        await eventually(later)
        stop.set()
        await beating
        await pool.close()
