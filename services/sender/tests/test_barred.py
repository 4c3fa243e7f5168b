"""Groups that nothing may be sent to any more, though a broadcast has them already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from common.records import Candidate
from common.store import broadcasts, deliveries, in_hand, slots, steering, strays
from common.store.pool import Tx
from common.testing.polling import eventually

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids

pytestmark = pytest.mark.timeout(60)
AHEAD = timedelta(milliseconds=150)
BARS = {
    "final_message_not_allowed": "final_message_allowed = false",
    "out_of_sending": "out_reason = 'rights'",
    "paused": "phase = 'paused'",
    "archived": "phase = 'archived'",
}
LET_IN = "UPDATE groups SET final_message_allowed = true, out_reason = NULL, phase = 'monitoring'"


async def bar(tx: Tx, group_id: int, reason: str) -> None:
    await tx.execute(f"UPDATE groups SET {BARS[reason]} WHERE group_id = $1", group_id)  # noqa: S608 (our own words)


async def barred(tx: Tx) -> int:
    return (await strays.settle(tx, await strays.look(tx, strays.START)))["barred"]


async def slotted(fleet: Fleet) -> list[Candidate]:
    """All that wait are handed out."""
    async with fleet.db.transaction() as tx:
        found = await deliveries.candidates(tx, dict.fromkeys(await bot_ids(fleet), 9), AHEAD, turn=0)
        await in_hand.assign(tx, "deliveries", [(candidate, datetime.now(UTC)) for candidate in found])
    return found


@pytest.mark.parametrize("reason", BARS)
async def test_what_waits_for_one_is_not_handed_out_and_fails_with_the_reason(fleet: Fleet, reason: str) -> None:
    out, into = await fleet.grow(2, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast([out, into])
    async with fleet.db.transaction() as tx:
        await bar(tx, out, reason)
    assert [candidate.group_id for candidate in await slotted(fleet)] == [into]
    async with fleet.db.transaction() as tx:
        assert (await barred(tx), await barred(tx)) == (1, 0)
    rows = {row["group_id"]: row for row in await fleet.rows(broadcast_id)}
    assert (rows[out]["state"], rows[out]["reason"]) == ("failed", reason)
    assert rows[out]["settled_at"] is not None
    assert rows[into]["state"] == "slotted"


@pytest.mark.parametrize("reason", BARS)
async def test_what_has_a_slot_does_not_begin(fleet: Fleet, reason: str) -> None:
    out, into = await fleet.grow(2, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast([out, into])
    await slotted(fleet)
    jobs = [(row["delivery_id"], row["slot_at"], row["bot_id"]) for row in await fleet.rows(broadcast_id)]
    async with fleet.db.transaction() as tx:
        await bar(tx, out, reason)
        assert [begun.group_id for begun in await deliveries.begin(tx, jobs, "me")] == [into]


async def test_what_may_have_arrived_is_still_in_doubt(fleet: Fleet) -> None:
    [out] = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast([out], on_unknown="resend_once")
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET reason = 'sender died'")
        await bar(tx, out, "archived")
        assert await barred(tx) == 1
    [row] = await fleet.rows(broadcast_id)
    assert (row["state"], row["reason"]) == ("unknown", "sender died")


async def test_a_retry_sends_it_once_the_group_is_let_in(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(2, (await bot_ids(fleet))[0])
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE bots SET flood_until = now() + interval '1 h'")  # nothing is sent before it is barred
    broadcast_id = await fleet.broadcast(ids)
    async with fleet.db.transaction() as tx:
        await bar(tx, ids[0], "final_message_not_allowed")
        await tx.execute("UPDATE bots SET flood_until = NULL")
        await slots.provide(tx)
    chats = [fleet.groups[group_id] for group_id in ids]
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    assert await fleet.sent() == chats[1:]
    async with fleet.db.transaction() as tx:
        assert await steering.again(tx, broadcast_id, "failed") == 0
        await tx.execute(LET_IN)
        assert await steering.again(tx, broadcast_id, "failed") == 1
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    assert sorted(await fleet.sent()) == sorted(chats)


async def over(fleet: Fleet, broadcast_id: int) -> bool:
    async with fleet.db.transaction() as tx:
        found = await broadcasts.get(tx, broadcast_id)
    return found is not None and found.state == "done"
