"""Occurrences become broadcasts exactly once: restarts, outages, two brains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from common.errors import LeaseLost
from common.ids import BotId, ChatId
from common.store import bots, groups, schedules
from common.store.broadcasts import Targets
from common.store.schedules import Plan
from common.testing.builders import make_bot
from common.testing.polling import eventually
from common.testing.postgres import Database
from tgms.leader import Leader
from tgms.schedules import Schedules

BOT = BotId(111111)


async def stage(db: Database, *, next_at: timedelta, cron: str = "0 0 1 1 *", **changes: Any) -> int:
    """A group, and a schedule whose next date is so far from now."""
    async with db.transaction() as tx:
        await bots.save(tx, make_bot(bot_id=BOT))
        await groups.register(tx, BOT, ChatId(-100), title="g", kind="supergroup")
        now: datetime = await tx.fetchval("SELECT now()")
        fields: dict[str, Any] = {
            "name": "s", "cron": cron, "timezone": "UTC", "enabled": True, "ends_at": None, "next_at": now + next_at,
            "targets": Targets(all_groups=True), "content": {"method": "sendMessage", "params": {"text": "again"}},
            "priority": 7, "on_unknown": "report", "ttl": timedelta(minutes=5),
        }  # fmt: skip
        return (await schedules.add(tx, Plan(**fields | changes), "key:test")).schedule_id


@asynccontextmanager
async def brain(db: Database, ttl: float = 5) -> AsyncIterator[Leader]:
    """The loop under a leader of its own."""
    stop, leader = asyncio.Event(), Leader(db.pool, ttl=ttl)
    loops = [asyncio.create_task(work) for work in (leader.run(stop), Schedules(db.pool, leader).run(stop))]
    yield leader
    stop.set()
    await asyncio.gather(*loops)


async def rows(db: Database, table: str) -> list[dict[str, Any]]:
    async with db.transaction() as tx:
        return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]  # noqa: S608 (our own names)


async def test_an_occurrence_becomes_a_broadcast_with_its_plan_job_and_the_next_date(db: Database) -> None:
    schedule_id = await stage(db, next_at=timedelta(seconds=-1))
    async with brain(db):
        [run] = await eventually(lambda: rows(db, "schedule_runs"))
    [made] = await rows(db, "broadcasts")
    assert (run["broadcast_id"], run["reason"]) == (made["broadcast_id"], None)
    assert (made["created_by"], made["priority"], made["state"]) == (f"schedule:{schedule_id}", 7, "planning")
    assert made["expires_at"] - made["send_at"] == timedelta(minutes=5)
    assert made["content"]["params"] == {"text": "again"}
    [job] = await rows(db, "outbox")
    assert (job["kind"], job["job_id"]) == ("plan_broadcast", f"plan:{made['broadcast_id']}")
    [entry] = await rows(db, "audit")
    assert (entry["actor"], entry["action"]) == (f"schedule:{schedule_id}", "broadcast.create")
    [schedule] = await rows(db, "schedules")
    assert (schedule["next_at"].month, schedule["next_at"].day) == (1, 1)
    assert schedule["next_at"] > run["ran_at"]


async def test_one_that_is_not_due_or_disabled_does_nothing(db: Database) -> None:
    await stage(db, next_at=timedelta(hours=1))
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO schedules (name, cron, timezone, content) VALUES ('off', '* * * * *', 'UTC', '{}')"
        )
    async with brain(db) as leader:
        assert await leader.elected(5)
        await asyncio.sleep(1.2)  # a whole round
    assert await rows(db, "schedule_runs") == await rows(db, "broadcasts") == []


@pytest.mark.parametrize(("late", "ran"), [(timedelta(minutes=55), True), (timedelta(minutes=65), False)])
async def test_after_an_outage_one_runs_within_the_hour_and_else_is_noted(
    db: Database,
    late: timedelta,
    ran: bool,  # noqa: FBT001 (a case's answer)
) -> None:
    await stage(db, next_at=-late)
    async with brain(db):
        [run] = await eventually(lambda: rows(db, "schedule_runs"))
    assert len(await rows(db, "broadcasts")) == ran
    assert run["reason"] == (None if ran else "missed by more than an hour")


async def test_of_a_days_outage_every_occurrence_is_noted_and_one_runs(db: Database) -> None:
    await stage(db, next_at=timedelta(days=-1), cron="*/5 * * * *")

    async def caught_up() -> bool:
        [schedule] = await rows(db, "schedules")
        return bool(schedule["next_at"] > schedule["created_at"])

    async with brain(db):
        await eventually(caught_up)
    runs = await rows(db, "schedule_runs")
    assert len(await rows(db, "broadcasts")) == 1
    assert len(runs) >= 288
    assert [run["reason"] is None for run in runs] == [False] * (len(runs) - 1) + [True]


async def test_without_a_group_to_send_to_it_is_skipped_and_says_so(db: Database) -> None:
    await stage(db, next_at=timedelta(seconds=-1), targets=Targets(tags=["nobody"]))
    async with brain(db):
        [run] = await eventually(lambda: rows(db, "schedule_runs"))
    assert (run["broadcast_id"], run["reason"]) == (None, "no group could be sent to")
    assert await rows(db, "broadcasts") == await rows(db, "outbox") == []


async def test_an_expression_that_another_version_can_not_read_stops_only_its_schedule(db: Database) -> None:
    await stage(db, next_at=timedelta(seconds=-2), timezone="Mars/Olympus")
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO schedules (name, cron, timezone, content, all_groups, next_at)
               VALUES ('fine', '* * * * *', 'UTC', '{}', true, now() - interval '1 s')"""
        )
    async with brain(db):
        runs = await eventually(lambda: _two(db))
    assert sorted(run["broadcast_id"] is not None for run in runs) == [False, True]


async def _two(db: Database) -> list[dict[str, Any]] | None:
    found = await rows(db, "schedule_runs")
    return found if len(found) == 2 else None


async def test_two_brains_that_both_believe_to_lead_make_one_broadcast(db: Database) -> None:
    """The rows decide, whoever holds the lease: eight rounds at once, of loops that are not fenced at all."""
    schedule_id = await stage(db, next_at=timedelta(seconds=-1))
    unfenced: Any = type("Unfenced", (), {"fence": staticmethod(_nothing)})()
    await asyncio.gather(*(Schedules(db.pool, unfenced)._round() for _ in range(8)))
    assert len(await rows(db, "broadcasts")) == len(await rows(db, "schedule_runs")) == 1
    async with db.transaction() as tx:  # and once more, as after a restore of the schedule's row alone
        await tx.execute("UPDATE schedules SET next_at = (SELECT due_at FROM schedule_runs)")
        assert (await schedules.due(tx, 9)) == [schedule_id]
    await Schedules(db.pool, unfenced)._round()
    assert len(await rows(db, "broadcasts")) == 1


async def _nothing(_: Any) -> None:
    return


async def test_a_brain_that_lost_the_lease_does_nothing(db: Database) -> None:
    await stage(db, next_at=timedelta(seconds=-1))
    old = Leader(db.pool, ttl=60)
    await old._renew()
    async with db.transaction() as tx:
        await tx.execute("UPDATE leases SET holder = 'another', epoch = epoch + 1")
    with pytest.raises(LeaseLost):
        await Schedules(db.pool, old)._round()
    assert await rows(db, "schedule_runs") == await rows(db, "broadcasts") == []


async def test_brains_that_come_and_go_lose_and_double_nothing(db: Database) -> None:
    """A schedule of every minute that is due at once again: each date once, over five brains."""
    await stage(db, next_at=timedelta(seconds=-1))
    for n in range(5):
        async with brain(db, ttl=1):
            await eventually(lambda n=n: _ran(db, n + 1), within=8)  # type: ignore[misc]  # mypy knows no such default
        async with db.transaction() as tx:
            await tx.execute("UPDATE schedules SET next_at = now() - interval '1 s'")
    assert len(await rows(db, "broadcasts")) == len(await rows(db, "schedule_runs")) == 5


async def _ran(db: Database, n: int) -> bool:
    return len(await rows(db, "schedule_runs")) >= n
