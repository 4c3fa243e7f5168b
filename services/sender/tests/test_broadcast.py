"""A broadcast from its row to the last delivered message, on a real database and a simulated Telegram."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from common.store import broadcasts, in_hand, reaping
from common.store.pool import Tx
from common.testing.polling import eventually

from .conftest import Direct, Fleet

pytestmark = pytest.mark.timeout(60)


async def bot_ids(fleet: Fleet) -> list[int]:
    return [bot["id"] for bot in (await fleet.sim.admin("GET", "bots"))["bots"]]


async def test_every_group_gets_it_once_and_the_ledger_says_so(fleet: Fleet, brain: Direct) -> None:
    first, second = await bot_ids(fleet)
    ids = await fleet.grow(30, first) + await fleet.grow(20, second)
    outside = await fleet.grow(3, first)
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: fleet.ended(broadcast_id), within=20)
    assert Counter(await fleet.sent()) == Counter(fleet.groups[g] for g in ids)
    assert set((await fleet.ledger(broadcast_id)).values()) == {"sent"}
    assert not {fleet.groups[g] for g in outside} & set(await fleet.sent())

    async def done() -> bool:
        async with fleet.db.transaction() as tx:
            found = await broadcasts.get(tx, broadcast_id)
        return found is not None and found.state == "done" and found.total == 50

    await eventually(done)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_with_random_faults_what_telegram_did_is_what_the_ledger_says(
    fleet: Fleet, brain: Direct, seed: int
) -> None:
    """sent, failed and unknown are the targets; nothing outside them, nothing twice, no `failed` that was delivered."""
    ids = await fleet.grow(60, (await bot_ids(fleet))[0])
    kinds = [
        "http_500",
        "http_502_html",
        "http_429",
        "timeout_after",
        "cut",
        "garbage",
        "unknown_fields",
        "sent_deleted",
    ]
    rng = random.Random(seed)  # noqa: S311
    rules = [{"method": "sendMessage", "kind": kind, "probability": 0.08} for kind in rng.sample(kinds, len(kinds))]
    await fleet.sim.admin("PUT", "faults", rules=rules)
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: fleet.ended(broadcast_id), within=40)
    ledger, effects = await fleet.ledger(broadcast_id), Counter(await fleet.sent())
    assert set(ledger) == {fleet.groups[g] for g in ids}
    assert set(ledger.values()) <= {"sent", "unknown"}
    assert max(effects.values()) == 1
    assert {chat for chat, state in ledger.items() if state == "sent"} <= set(effects)
    assert set(effects) <= {chat for chat, state in ledger.items() if state in {"sent", "unknown"}}


async def test_the_first_content_error_pauses_the_broadcast_and_says_which(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(40, (await bot_ids(fleet))[0])
    description = "Bad Request: can't parse entities: Unsupported start tag"
    rule = {"method": "sendMessage", "kind": "error", "error_code": 400, "description": description}
    await fleet.sim.admin("PUT", "faults", rules=[rule])
    broadcast_id = await fleet.broadcast(ids)

    async def paused() -> bool:
        async with fleet.db.transaction() as tx:
            found = await broadcasts.get(tx, broadcast_id)
        return found is not None and found.state == "paused" and "can't parse entities" in (found.pause_reason or "")

    await eventually(paused, within=10)
    await asyncio.gather(*brain.tasks)
    assert Counter((await fleet.ledger(broadcast_id)).values())["failed"] <= 30  # what was in the air at the first one


async def test_a_cancelled_broadcast_begins_nothing_more(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(120, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast(ids)
    await eventually(fleet.sent, within=10)
    async with fleet.db.transaction() as tx:
        assert await broadcasts.cancel(tx, broadcast_id)
    await asyncio.gather(*brain.tasks)
    before = len(await fleet.sent())
    await eventually(lambda: fleet.ended(broadcast_id), within=10)
    states = Counter((await fleet.ledger(broadcast_id)).values())
    assert len(await fleet.sent()) == before == states["sent"]
    assert states["cancelled"] == 120 - before > 0


async def test_a_sender_that_died_leaves_unknown_and_its_slot_comes_back(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    await fleet.sim.admin("PUT", "faults", rules=[], latency="60000-60000")
    broadcast_id = await fleet.broadcast(ids)

    async def sending() -> bool:
        return set((await fleet.ledger(broadcast_id)).values()) == {"sending"}

    await eventually(sending, within=10)
    for task in list(brain.tasks):
        task.cancel()  # as a kill: nothing is written any more
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE workers SET beat_at = now() - interval '1 min'")
    await eventually(lambda: fleet.ended(broadcast_id), within=10)
    assert set((await fleet.ledger(broadcast_id)).values()) == {"unknown"}
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM bot_slots WHERE held_by IS NOT NULL") == 0
        assert await tx.fetchval("SELECT count(*) FROM group_turns WHERE held_by IS NOT NULL") == 0


async def test_a_lost_job_waits_for_another_slot(fleet: Fleet) -> None:
    ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast(ids)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'slotted', slot_at = now() - interval '1 min'")
        assert await in_hand.unslot(tx, "deliveries", timedelta(seconds=5)) == 1
    assert set((await fleet.ledger(broadcast_id)).values()) == {"pending"}


@pytest.mark.parametrize(
    ("state", "reap"),
    [
        ("slotted", lambda tx: in_hand.unslot(tx, "deliveries", timedelta(seconds=5))),
        ("sending", lambda tx: reaping.orphans(tx, timedelta(seconds=5))),
        ("pending", reaping.close_cancelled),
        ("pending", reaping.expire),
    ],
    ids=["unslot", "orphans", "close_cancelled", "expire"],
)
async def test_the_reaper_does_not_wait_for_rows_in_hand(
    fleet: Fleet, state: str, reap: Callable[[Tx], Awaitable[int]]
) -> None:
    broadcast_id = await fleet.broadcast(await fleet.grow(2, (await bot_ids(fleet))[0]))
    of_broadcast = "cancelled" if reap is reaping.close_cancelled else "running"
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = $1, slot_at = now() - interval '1 min', owner = 'gone'", state)
        await tx.execute("UPDATE broadcasts SET state = $1, expires_at = now() - interval '1 s'", of_broadcast)
    async with fleet.db.transaction() as hand:
        row = await hand.fetchval("SELECT min(delivery_id) FROM deliveries WHERE broadcast_id = $1", broadcast_id)
        await hand.execute("UPDATE deliveries SET attempts = attempts WHERE delivery_id = $1", row)
        async with asyncio.timeout(3), fleet.db.transaction() as tx:
            assert await reap(tx) == 1


async def test_a_job_that_comes_twice_at_once_sends_once(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(20, (await bot_ids(fleet))[0])
    handle = fleet.handle

    async def twice(job: Any) -> None:
        await asyncio.gather(handle(job), handle(job))

    brain.handle = twice
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: fleet.ended(broadcast_id), within=20)
    assert Counter(await fleet.sent()) == Counter(fleet.groups[g] for g in ids)
