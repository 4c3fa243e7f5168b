"""The leader tells how the fleet stands, and nobody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from common.errors import StoreUnavailable
from common.ids import BotId
from common.store import bots, census
from common.store.census import Census
from common.store.pool import Tx
from common.telemetry import metrics
from common.testing.builders import make_bot
from common.testing.polling import eventually
from common.testing.postgres import Database
from prometheus_client import REGISTRY
from tgms.census import CensusTaker
from tgms.leader import Leader
from tgms.rounds import timed


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    metrics.FLEET.forget()
    yield
    metrics.FLEET.forget()


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def run(taker: CensusTaker, stop: asyncio.Event) -> None:
    running = asyncio.create_task(taker.run(stop))
    await eventually(lambda: value("muster_tgms_epoch") is not None)
    stop.set()
    await running


async def test_the_leader_tells_also_of_what_is_not_there(db: Database, leader: Leader) -> None:
    async with db.transaction() as tx:
        await bots.save(tx, make_bot(bot_id=BotId(7)))
    await run(CensusTaker(db.pool, leader), asyncio.Event())
    assert value("muster_tgms_epoch") == leader.epoch
    assert value("muster_deliveries_waiting", why="turn") == 0
    assert value("muster_bots", state="active") == 1
    assert value("muster_bots", state="revoked") == 0
    assert value("muster_bot_flood_remaining_seconds", bot_id="7") == 0
    assert value("muster_bot_deliveries_waiting", bot_id="7") == 0
    assert value("muster_send_ceiling_per_second") == 30
    assert value("muster_outbox_oldest_seconds") == 0


async def test_who_loses_the_lease_falls_silent(db: Database) -> None:
    stop, leader = asyncio.Event(), Leader(db.pool, ttl=5)
    leading = asyncio.create_task(leader.run(stop))
    assert await leader.elected(5)
    await run(CensusTaker(db.pool, leader), asyncio.Event())
    stop.set()
    await leading
    assert leader.epoch is None
    assert value("muster_tgms_epoch") is None


async def test_a_look_that_takes_long_is_taken_less_often(db: Database, leader: Leader) -> None:
    taker = CensusTaker(db.pool, leader)
    await taker._round()
    metrics.FLEET.forget()
    taker._not_before += 1000
    await taker._round()
    assert value("muster_tgms_epoch") is None


async def test_so_is_one_that_comes_to_no_end(db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    taker = CensusTaker(db.pool, leader)

    async def endless(*_: object) -> Census:
        await asyncio.sleep(0.2)
        raise StoreUnavailable("PostgreSQL: TimeoutError")

    monkeypatch.setattr(census, "take", endless)
    with pytest.raises(StoreUnavailable):
        await taker._round()
    assert taker._not_before - time.monotonic() > 3
    await taker._round()


@pytest.mark.parametrize("seconds", [0.01, 3.0, 10.0, 300.0])
async def test_however_long_a_look_takes_what_it_found_is_told_until_the_next(
    db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A gap resets what every alert has waited for."""
    clock = [1000.0]
    for where in ("tgms.census.time", "common.telemetry.snapshot.time"):  # the event loop keeps its own
        monkeypatch.setattr(where, SimpleNamespace(monotonic=lambda: clock[0]))
    real = census.take

    async def slow(tx: Tx, silent: timedelta) -> Census:
        clock[0] += seconds
        return await real(tx, silent)

    monkeypatch.setattr(census, "take", slow)
    taker = CensusTaker(db.pool, leader)
    await taker._round()
    for _ in range(3):
        clock[0] = max(clock[0], taker._not_before) + 5  # the round's interval
        assert value("muster_tgms_epoch") == leader.epoch
        await taker._round()
    clock[0] = taker._not_before + 361
    assert value("muster_tgms_epoch") is None


def test_a_round_is_timed_where_it_went_well_and_counted_where_it_did_not() -> None:
    with timed("well"):
        pass
    with pytest.raises(ValueError, match="canary"), timed("ill"):
        raise ValueError("canary")
    assert value("muster_tgms_tick_seconds_count", loop="well") == 1
    assert value("muster_tgms_last_tick_timestamp_seconds", loop="well") is not None
    assert value("muster_tgms_tick_failures_total", loop="ill") == 1


def test_a_loop_that_never_goes_well_is_late_from_its_first_round_on() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="canary"), timed("never"):
            raise ValueError("canary")
        begun = value("muster_tgms_last_tick_timestamp_seconds", loop="never")
        assert begun is not None
        assert 0 <= time.time() - begun < 10
    assert value("muster_tgms_tick_seconds_count", loop="never") is None
    assert value("muster_tgms_tick_seconds_count", loop="ill") is None
