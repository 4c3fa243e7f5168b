"""Round trips of all processes together: half an hour of them."""

from __future__ import annotations

import pytest
from common.dbclock import DatabaseClock
from common.errors import StoreUnavailable
from common.send_window import SendWindow
from common.store import round_trips
from common.testing.postgres import Database
from common.window import Seen


async def test_what_all_have_seen_is_added_up_and_a_new_process_knows_it(db: Database) -> None:
    clock = DatabaseClock(db.pool)
    near, far, new = (SendWindow(db.pool, clock) for _ in range(3))
    for _ in range(8):
        near.answered(0.020)
    for _ in range(92):
        far.answered(0.030)
    await near.exchange()
    assert near.floor.total_seconds() == 0  # eight calls are too few
    await far.exchange()
    await new.exchange()
    both = Seen(100, 8 * 0.020 + 92 * 0.030, 0.020).floor
    assert both.total_seconds() > 0.015
    assert far.floor.total_seconds() == new.floor.total_seconds() == pytest.approx(both.total_seconds(), abs=1e-5)
    near.answered(0.010)
    assert near.floor < both  # what it has seen since counts at once
    await near.exchange()
    await new.exchange()
    assert new.floor == near.floor


async def test_what_took_longer_than_the_window_says_nothing(db: Database) -> None:
    window = SendWindow(db.pool, DatabaseClock(db.pool))
    for seconds in [0.05] * 20 + [5.0] * 100:
        window.answered(seconds)
    assert window.floor.total_seconds() == pytest.approx(0.05, abs=1e-5)


async def test_without_the_database_it_works_with_its_own_and_tells_it_later(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = SendWindow(db.pool, DatabaseClock(db.pool))
    for _ in range(20):
        window.answered(0.05)

    async def away(*_: object) -> None:
        for _ in range(3):
            window.answered(0.05)  # calls go on meanwhile
        raise StoreUnavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(round_trips, "exchange", away)
        with pytest.raises(StoreUnavailable):
            await window.exchange()
    assert window.floor.total_seconds() == pytest.approx(0.05, abs=1e-5)
    await window.exchange()
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT calls FROM round_trips") == 23


async def test_half_an_hour_is_believed_and_an_hour_kept(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO round_trips SELECT now() - make_interval(mins => age), 100, 5, smallest
               FROM (VALUES (29, 0.04), (31, 0.03), (61, 0.02)) AS old (age, smallest)"""
        )
        assert await round_trips.exchange(tx, Seen()) == Seen(100, 5.0, 0.04)
        assert await round_trips.prune(tx) == 1
        assert await tx.fetchval("SELECT count(*) FROM round_trips") == 2
