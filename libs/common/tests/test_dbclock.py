"""The database's clock from here: what is not surely so is not acted upon."""

from __future__ import annotations

import time
from datetime import timedelta

from common.dbclock import DatabaseClock
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


async def test_a_poor_measurement_does_not_move_a_good_one(db: Database) -> None:
    clock = DatabaseClock(db.pool)
    clock._offset, clock._uncertainty = 12345.0, 0.0  # no answer comes in no time
    clock._pool = db.pool
    await clock.measure()
    assert clock._offset == 12345.0 or clock._uncertainty <= 0.0005
