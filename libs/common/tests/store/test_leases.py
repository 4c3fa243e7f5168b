"""One holder at a time, by the database's clock."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import pytest
from common.errors import LeaseLost, StoreUnavailable
from common.ids import Epoch
from common.store import leases
from common.store.pool import Pool
from common.testing.polling import eventually
from common.testing.postgres import Database, make_pool
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

LONG = timedelta(minutes=1)
SHORT = timedelta(milliseconds=50)


async def acquire(pool: Pool, holder: str, ttl: timedelta = LONG) -> Epoch | None:
    async with pool.transaction("test") as tx:
        return await leases.acquire(tx, "tgms", holder, ttl)


async def release(pool: Pool, holder: str, epoch: Epoch) -> None:
    async with pool.transaction("test") as tx:
        await leases.release(tx, "tgms", holder, epoch)


async def fence(pool: Pool, epoch: Epoch) -> None:
    async with pool.transaction("test") as tx:
        await leases.fence(tx, "tgms", epoch)


async def test_the_first_one_has_it_and_renewing_keeps_its_epoch(db: Database) -> None:
    assert await acquire(db.pool, "a") == 1
    assert await acquire(db.pool, "a") == 1
    assert await acquire(db.pool, "b") is None


async def test_of_many_at_once_one_wins(db: Database) -> None:
    won = await asyncio.gather(*(acquire(db.pool, f"holder {n}") for n in range(20)))
    assert sorted(epoch for epoch in won if epoch is not None) == [1]


async def test_after_its_time_another_takes_it_with_the_next_epoch(db: Database) -> None:
    assert await acquire(db.pool, "a", SHORT) == 1
    assert await eventually(lambda: acquire(db.pool, "b"), within=5) == 2
    assert await acquire(db.pool, "a") is None


async def test_who_comes_back_after_its_time_is_a_new_leader(db: Database) -> None:
    """A leader that slept through its lease may not act on what it decided before: its epoch is over."""
    assert await acquire(db.pool, "a", SHORT) == 1
    await eventually(lambda: expired(db), within=5)
    assert await acquire(db.pool, "a") == 2
    with pytest.raises(LeaseLost):
        await fence(db.pool, Epoch(1))


async def test_given_back_it_is_free_at_once(db: Database) -> None:
    assert await acquire(db.pool, "a") == 1
    await release(db.pool, "a", Epoch(1))
    with pytest.raises(LeaseLost):
        await fence(db.pool, Epoch(1))
    assert await acquire(db.pool, "b") == 2


@pytest.mark.parametrize(("holder", "epoch"), [("b", 1), ("a", 2)])
async def test_only_the_holder_gives_it_back(db: Database, holder: str, epoch: int) -> None:
    await acquire(db.pool, "a")
    await release(db.pool, holder, Epoch(epoch))
    await fence(db.pool, Epoch(1))


async def test_a_fenced_transaction_holds_up_who_takes_the_lease_and_not_its_renewal(db: Database) -> None:
    await acquire(db.pool, "a")
    async with db.transaction() as tx:
        await leases.fence(tx, "tgms", Epoch(1))
        assert await asyncio.wait_for(acquire(db.pool, "a", SHORT), 2) == 1
        await eventually(lambda: expired(db), within=5)
        taking = asyncio.create_task(acquire(db.pool, "b"))
        await asyncio.sleep(0.3)
        assert not taking.done()
    assert await asyncio.wait_for(taking, 5) == 2


async def test_the_fence_lets_nobody_write_with_an_old_epoch(db: Database) -> None:
    await acquire(db.pool, "a", SHORT)
    await eventually(lambda: acquire(db.pool, "b"), within=5)
    with pytest.raises(LeaseLost):
        await fence(db.pool, Epoch(1))
    await fence(db.pool, Epoch(2))


async def test_the_fence_of_a_lease_that_was_never_taken(db: Database) -> None:
    with pytest.raises(LeaseLost):
        await fence(db.pool, Epoch(1))


async def test_a_takeover_waits_for_the_transaction_that_passed_the_fence(db: Database) -> None:
    """Otherwise the old leader's commit could come after the new leader's first act."""
    await acquire(db.pool, "a", timedelta(milliseconds=300))
    async with db.pool.transaction("old leader") as tx:
        await leases.fence(tx, "tgms", Epoch(1))
        await tx.execute("INSERT INTO users (user_id, first_name) VALUES (1, 'written by epoch 1')")
        taking = asyncio.create_task(eventually(lambda: acquire(db.pool, "b"), within=8))
        await eventually(lambda: expired(db), within=5)
        await eventually(lambda: somebody_waits(db), within=5)
        assert not taking.done()
    assert await taking == 2


async def test_a_leader_that_is_frozen_in_its_transaction_keeps_nobody_out(db: Database) -> None:
    """A stopped process or a cut network: its lock would last until TCP gives up."""
    await acquire(db.pool, "a", SHORT * 10)
    with pytest.raises(StoreUnavailable):
        await _freeze(db.pool, db)


async def _freeze(pool: Pool, db: Database) -> None:
    async with pool.transaction("old leader") as tx:
        await leases.fence(tx, "tgms", Epoch(1))
        assert await eventually(lambda: patiently(db, "b"), within=15) == 2
        await tx.execute("INSERT INTO users (user_id, first_name) VALUES (1, 'written by epoch 1')")


async def patiently(db: Database, holder: str) -> Epoch | None:
    """As a leader that can't reach PostgreSQL: it tries again."""
    with contextlib.suppress(StoreUnavailable):
        return await acquire(db.pool, holder)
    return None


async def expired(db: Database) -> bool:
    async with db.transaction() as tx:
        return bool(await tx.fetchval("SELECT expires_at <= clock_timestamp() FROM leases"))


async def somebody_waits(db: Database) -> bool:
    async with db.transaction() as tx:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(await tx.fetchval(waiting))


class TwoActors(RuleBasedStateMachine):
    """H5: whatever two actors do, and however long they sleep, at most one epoch passes the fence."""

    pool: Pool
    runner: asyncio.Runner

    @initialize()
    def fresh(self) -> None:
        self.run("DELETE FROM leases")
        self.epochs: dict[str, Epoch | None] = {"a": None, "b": None}
        self.highest = 0

    @rule(holder=st.sampled_from(["a", "b"]))
    def take_or_renew(self, holder: str) -> None:
        epoch = self.runner.run(acquire(self.pool, holder))
        if epoch is not None:
            assert epoch >= self.highest
            self.highest = epoch
            self.epochs[holder] = epoch

    @rule(holder=st.sampled_from(["a", "b"]))
    def give_back(self, holder: str) -> None:
        epoch = self.epochs[holder]
        if epoch is not None:
            self.runner.run(release(self.pool, holder, epoch))

    @rule()
    def sleep_past_the_end(self) -> None:
        self.run("UPDATE leases SET expires_at = now() - interval '1 s'")

    @invariant()
    def at_most_one_may_write(self) -> None:
        passing = [holder for holder, epoch in self.epochs.items() if epoch is not None and self.passes(epoch)]
        assert len({self.epochs[holder] for holder in passing}) <= 1
        assert len(passing) <= 1

    def passes(self, epoch: Epoch) -> bool:
        try:
            self.runner.run(fence(self.pool, epoch))
        except LeaseLost:
            return False
        return True

    def run(self, statement: str) -> None:
        async def execute() -> None:
            async with self.pool.transaction("test") as tx:
                await tx.execute(statement)

        self.runner.run(execute())


def test_two_actors_never_both_pass_the_fence(database_url: str) -> None:
    with asyncio.Runner() as runner:
        TwoActors.runner, TwoActors.pool = runner, make_pool(database_url)
        run_state_machine_as_test(TwoActors, settings=settings(deadline=None, max_examples=30, stateful_step_count=20))
        runner.run(TwoActors.pool.close())
