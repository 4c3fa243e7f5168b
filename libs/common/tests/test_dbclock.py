"""The database's clock from here: what is not surely so is not acted upon."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import uvloop
from common.dbclock import DatabaseClock
from common.store.pool import Pool
from common.testing.postgres import Database


async def test_its_time_is_the_databases_within_what_it_admits(db: Database) -> None:
    clock = DatabaseClock(db.pool)
    await clock.measure()
    async with db.transaction() as tx:
        before = clock.latest() - 2 * timedelta(seconds=clock._uncertainty)
        there = await tx.fetchval("SELECT clock_timestamp()")
        assert before <= there <= clock.latest()


async def test_a_sleep_ends_when_it_is_surely_that_time(db: Database) -> None:
    clock = DatabaseClock(db.pool)
    await clock.measure()
    clock._uncertainty = 0.05
    when = clock.now() + timedelta(seconds=0.1)
    began = time.monotonic()
    await clock.sleep_until(when)
    assert time.monotonic() - began >= 0.149


async def test_a_sleep_that_the_databases_clock_has_overtaken_ends(db: Database) -> None:
    """It was set forward by half a minute: what has a slot by the new time would be sent as much later."""
    clock = DatabaseClock(db.pool)
    await clock.measure()
    when = clock.now() + timedelta(seconds=30)
    sleeping = asyncio.create_task(clock.sleep_until(when))
    await asyncio.sleep(0.1)
    clock._offset += 30
    await asyncio.wait_for(sleeping, 3)


def test_no_sleep_is_short_by_the_timers_of_the_loop_that_the_services_run_on() -> None:
    clock = DatabaseClock(Pool("postgresql://127.0.0.1:1/none", name="x", max_size=1, timeout=1))
    clock._uncertainty = 0.0

    async def early(nth: int) -> float:
        await asyncio.sleep(nth * 0.00037)  # at any moment of the timers' milliseconds
        when = clock.now() + timedelta(seconds=0.005 + nth * 0.00011)
        await clock.sleep_until(when)
        return (when - clock.now()).total_seconds()

    async def all_of_them() -> list[float]:
        return await asyncio.gather(*map(early, range(300)))

    assert max(uvloop.run(all_of_them())) <= 0


async def test_a_poor_measurement_does_not_move_a_good_one(db: Database) -> None:
    clock = DatabaseClock(db.pool)
    clock._offset, clock._uncertainty = 12345.0, 0.0  # no answer comes in no time
    clock._pool = db.pool
    await clock.measure()
    assert clock._offset == 12345.0 or clock._uncertainty <= 0.0005
