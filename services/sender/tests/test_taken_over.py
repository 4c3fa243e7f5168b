"""Groups that get another bot while something waits with the one that they had."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from common.ids import BotId, ChatId
from common.store import deliveries, group_states, groups, steering, strays
from common.store.groups import Note

from .conftest import Fleet
from .test_broadcast import bot_ids

AHEAD, SLOT = timedelta(milliseconds=150), datetime(2026, 1, 1, tzinfo=UTC)
NOT_FOR_IT = "the group has a bot that this broadcast is not for"


async def take_over(fleet: Fleet, group_id: int, bot_id: BotId) -> None:
    async with fleet.db.transaction() as tx:
        chat_id = ChatId(fleet.groups[group_id])
        assert await groups.register(tx, bot_id, chat_id, title="g", kind="supergroup") == group_id


async def handed_over(fleet: Fleet) -> int:
    async with fleet.db.transaction() as tx:
        return (await strays.settle(tx, await strays.look(tx, strays.START)))["handed_over"]


async def test_what_waits_with_the_old_bot_goes_to_the_new_one(fleet: Fleet) -> None:
    old, new = await bot_ids(fleet)
    [group_id] = await fleet.grow(1, old)
    broadcast_id = await fleet.broadcast([group_id])
    await take_over(fleet, group_id, new)
    async with fleet.db.transaction() as tx:
        assert await deliveries.candidates(tx, {old: 9, new: 9}, AHEAD, turn=0) == []
    assert (await handed_over(fleet), await handed_over(fleet)) == (1, 0)
    async with fleet.db.transaction() as tx:
        [found] = await deliveries.candidates(tx, {old: 9, new: 9}, AHEAD, turn=0)
    [row] = await fleet.rows(broadcast_id)
    assert (found.bot_id, row["bot_id"], row["state"]) == (new, new, "pending")


async def test_what_has_a_slot_does_not_begin_with_the_old_bot(fleet: Fleet) -> None:
    old, new = await bot_ids(fleet)
    [group_id] = await fleet.grow(1, old)
    await fleet.broadcast([group_id])
    async with fleet.db.transaction() as tx:
        number = await tx.fetchval("UPDATE deliveries SET state = 'slotted', slot_at = $1 RETURNING delivery_id", SLOT)
    await take_over(fleet, group_id, new)
    async with fleet.db.transaction() as tx:
        assert await deliveries.begin(tx, [(number, SLOT, old)], "me") == []
        await tx.execute("UPDATE groups SET bot_id = $1", old)
        assert await deliveries.begin(tx, [(number, SLOT, new)], "me") == [], "a job of another bot"
        assert len(await deliveries.begin(tx, [(number, SLOT, old)], "me")) == 1


@pytest.mark.parametrize(
    ("reason", "ends"), [(None, ("failed", NOT_FOR_IT)), ("sender died", ("unknown", "sender died"))]
)
async def test_where_the_broadcast_is_not_for_the_new_bot_it_ends_until_the_old_one_is_back(
    fleet: Fleet, reason: str | None, ends: tuple[str, str]
) -> None:
    old, new = await bot_ids(fleet)
    [group_id] = await fleet.grow(1, old)
    broadcast_id = await fleet.broadcast([group_id])
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE broadcasts SET bot_ids = $1", [old])
        await tx.execute("UPDATE deliveries SET reason = $1", reason)
    await take_over(fleet, group_id, new)
    assert await handed_over(fleet) == 1
    [row] = await fleet.rows(broadcast_id)
    assert (row["bot_id"], row["state"], row["reason"]) == (old, *ends)
    async with fleet.db.transaction() as tx:
        assert await steering.again(tx, broadcast_id, row["state"]) == 0
    await take_over(fleet, group_id, old)
    async with fleet.db.transaction() as tx:
        assert await steering.again(tx, broadcast_id, row["state"]) == 1


async def test_what_becomes_of_the_old_bots_sends_says_nothing_of_the_group(fleet: Fleet) -> None:
    """It was thrown out, and its answer comes when the new one is there."""
    old, new = await bot_ids(fleet)
    [group_id] = await fleet.grow(1, old)
    await take_over(fleet, group_id, new)
    broadcast_id = await fleet.broadcast([group_id])
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE groups SET failures = 1")
        refused = Note(group_id, old, failed=True, reason="rights", health="degraded")
        await groups.note(tx, [refused, Note(group_id, old, failed=False)])
        assert await group_states.fail_pending(tx, group_id, old, "the group is lost") == 0
        row = await tx.fetchrow("SELECT phase, health, failures FROM groups")
        assert row == ("discovered", "ok", 1)
        await groups.note(tx, [Note(group_id, new, failed=False)])
        assert await tx.fetchval("SELECT failures FROM groups") == 0
    assert set((await fleet.ledger(broadcast_id)).values()) == {"pending"}
