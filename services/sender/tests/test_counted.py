"""What counts as an attempt: what surely did nothing takes none from those that other rules ask for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from common.store import deliveries, reaping
from common.testing.polling import eventually

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids
from .test_revisions import ended, make_basic, over, revise, sent

pytestmark = pytest.mark.timeout(60)
FLOOD: dict[str, Any] = {"method": "sendMessage", "kind": "http_429", "times": 3}


async def test_a_group_that_moved_is_found_after_floods(fleet: Fleet, brain: Direct) -> None:
    bot = (await bot_ids(fleet))[0]
    [group_id] = await fleet.grow(1, bot)
    await make_basic(fleet, group_id, bot)
    moved = await fleet.sim.admin("POST", f"chats/{fleet.groups[group_id]}/migrate")
    await fleet.sim.admin("PUT", "faults", rules=[FLOOD])
    broadcast_id = await fleet.broadcast([group_id])
    await eventually(lambda: over(fleet, broadcast_id), within=40)
    [row] = await fleet.rows(broadcast_id)
    assert (row["state"], row["attempts"], row["sent_chat_id"]) == ("sent", 2, moved["id"])
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT failures FROM groups") == 0


async def test_the_first_doubt_is_the_first_whatever_was_refused_before(fleet: Fleet, brain: Direct) -> None:
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    cut = {"method": "sendMessage", "kind": "cut", "times": 1}
    await fleet.sim.admin("PUT", "faults", rules=[FLOOD | {"times": 2}, cut])
    broadcast_id = await fleet.broadcast([group_id], on_unknown="resend_once")
    await eventually(lambda: over(fleet, broadcast_id), within=40)
    assert [(r["state"], r["attempts"]) for r in await fleet.rows(broadcast_id)] == [("sent", 2)]


async def test_a_sender_that_dies_is_the_first_doubt_only_once(fleet: Fleet) -> None:
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast([group_id], on_unknown="resend_once")
    states = []
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET attempts = 2, reason = 'file'")
        for _ in range(2):
            row = await tx.fetchrow("UPDATE deliveries SET state = 'slotted', slot_at = now() RETURNING *")
            assert row is not None
            await deliveries.begin(tx, [(row["delivery_id"], row["slot_at"], row["bot_id"])], "dead")
            await reaping.orphans(tx, timedelta(seconds=8))
            states.append(await tx.fetchval("SELECT state FROM deliveries"))
    assert states == ["pending", "unknown"]
    assert [row["broadcast_id"] for row in await fleet.rows(broadcast_id)] == [broadcast_id]


async def test_a_recall_counts_no_floods(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    await fleet.sim.admin("PUT", "faults", rules=[FLOOD | {"method": "deleteMessage", "times": 2}])
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT attempts FROM revision_items") == 1
    assert revision.items == {"done": 1}
