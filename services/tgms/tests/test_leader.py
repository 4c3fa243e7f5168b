"""Exactly one acts: by the database's clock, by its own, and after it was paused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from common.errors import LeaseLost
from common.testing.polling import eventually
from common.testing.postgres import Database, make_pool
from common.testing.tcp_proxy import TcpProxy
from tgms.leader import LEASE, Leader

_TTL = 0.9  # seconds


@dataclass
class Candidate:
    """A leader and the task that keeps it one."""

    leader: Leader
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def acts(self) -> bool:
        return await self.leader.elected(0)

    async def stopped(self) -> None:
        """As SIGTERM."""
        self.stop.set()
        await self.task

    async def killed(self) -> None:
        """As SIGKILL: nothing is given back."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def standing(db: Database, ttl: float = _TTL) -> AsyncIterator[Candidate]:
    stop, leader = asyncio.Event(), Leader(db.pool, ttl=ttl)
    candidate = Candidate(leader, stop, asyncio.create_task(leader.run(stop)))
    yield candidate
    if not candidate.task.done():
        await candidate.stopped()


async def epoch(db: Database) -> int:
    async with db.transaction() as tx:
        found: int = await tx.fetchval("SELECT epoch FROM leases WHERE name = $1", LEASE)
        return found


async def may_write(db: Database, leader: Leader) -> bool:
    try:
        async with db.transaction() as tx:
            await leader.fence(tx)
    except LeaseLost:
        return False
    return True


async def test_one_of_three_is_the_leader_and_stays_it(db: Database) -> None:
    async with AsyncExitStack() as stack:
        three = [await stack.enter_async_context(standing(db)) for _ in range(3)]
        acting = await eventually(lambda: which(three))
        until = time.monotonic() + 2 * _TTL
        while time.monotonic() < until:
            assert await which(three) == acting
            await asyncio.sleep(0.02)
        assert await epoch(db) == 1


async def which(candidates: list[Candidate]) -> list[int]:
    acting = [number for number, each in enumerate(candidates) if await each.acts()]
    assert len(acting) <= 1
    return acting


async def test_a_stop_gives_the_lease_back_at_once(db: Database) -> None:
    async with standing(db, ttl=60) as first:
        await eventually(first.acts)
        await first.stopped()
        assert not await first.acts()
        async with standing(db) as second:
            await eventually(second.acts, within=0.5)
            assert await epoch(db) == 2


async def test_a_kill_costs_one_time_to_live(db: Database) -> None:
    async with standing(db) as first:
        await eventually(first.acts)
        await first.killed()
        async with standing(db) as second:
            assert not await second.leader.elected(0.3 * _TTL)
            await eventually(second.acts, within=_TTL + _TTL / 3 + 1)


async def test_who_was_paused_longer_than_the_lease_neither_acts_nor_writes(db: Database) -> None:
    async with standing(db) as paused:
        await eventually(paused.acts)
        await paused.killed()  # its renewals stand still; the object still believes
        async with standing(db) as second:
            await eventually(second.acts, within=3)
            assert not await paused.acts()
            assert not await may_write(db, paused.leader)
            assert await may_write(db, second.leader)


async def test_the_database_refuses_who_only_believes_that_it_leads(db: Database) -> None:
    async with standing(db, ttl=60) as old:
        await eventually(old.acts)
        async with db.transaction() as tx:
            await tx.execute("UPDATE leases SET holder = 'another', epoch = epoch + 1")
        assert await old.acts()  # by its own clock, for a while yet
        assert not await may_write(db, old.leader)


async def test_a_lease_that_has_expired_is_refused_although_nobody_took_it(db: Database) -> None:
    async with standing(db, ttl=60) as old:
        await eventually(old.acts)
        async with db.transaction() as tx:
            await tx.execute("UPDATE leases SET expires_at = now()")
        assert not await may_write(db, old.leader)


async def test_a_change_inside_the_fence_waits_for_no_other_leader(db: Database) -> None:
    """The fence's lock: the lease can't change hands between the check and the commit of what it guards."""
    async with standing(db, ttl=60) as old:
        await eventually(old.acts)
        async with db.transaction() as tx:
            await old.leader.fence(tx)
            taking = asyncio.create_task(take_over(db))
            await asyncio.sleep(0.1)
            assert not taking.done()
        await taking


async def take_over(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("UPDATE leases SET holder = 'another', epoch = epoch + 1, expires_at = now() + interval '9 s'")


async def test_who_can_not_reach_the_database_stops_acting_before_the_lease_ends(db: Database) -> None:
    async with TcpProxy.before(db.url) as proxy:
        pool = make_pool(proxy.through(db.url), timeout=0.2)
        leader, stop = Leader(pool, ttl=_TTL), asyncio.Event()
        running = asyncio.create_task(leader.run(stop))
        assert await leader.elected(2)
        proxy.refuse = True
        proxy.reset()
        cut = time.monotonic()
        await eventually(lambda: not_acting(leader), within=_TTL)
        assert time.monotonic() - cut < _TTL
        proxy.heal()
        assert await eventually(lambda: leader.elected(0), within=3)
        stop.set()
        await running
        await pool.close()


async def not_acting(leader: Leader) -> bool:
    return not await leader.elected(0)


async def test_the_epoch_grows_with_each_change_and_only_then(db: Database) -> None:
    for expected in (1, 2, 3):
        async with standing(db) as candidate:
            await eventually(candidate.acts)
            await candidate.leader._renew()
            assert await epoch(db) == expected


async def test_nobody_leads_before_the_first_answer(db: Database) -> None:
    leader = Leader(db.pool, ttl=_TTL)
    assert not await leader.elected(0)
    with pytest.raises(LeaseLost):
        async with db.transaction() as tx:
            await leader.fence(tx)
