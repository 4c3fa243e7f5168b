"""A bot that is switched off sends nothing of broadcasts, at once, and goes on where it stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest
from common.store import bots, deliveries, slots
from common.testing.polling import eventually

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids

pytestmark = pytest.mark.timeout(60)


async def switch(fleet: Fleet, bot_id: int, *, enabled: bool) -> None:
    async with fleet.db.transaction() as tx:
        await bots.change(tx, bot_id, enabled=enabled)


async def test_it_waits_while_others_send_and_then_goes_on(fleet: Fleet, brain: Direct) -> None:
    first, second = await bot_ids(fleet)
    off, on = await fleet.grow(3, first), await fleet.grow(3, second)
    await switch(fleet, first, enabled=False)
    broadcast_id = await fleet.broadcast(off + on)

    async def others_done() -> bool:
        ledger = await fleet.ledger(broadcast_id)
        return {ledger[fleet.groups[group]] for group in on} == {"sent"}

    await eventually(others_done, within=10)
    assert not {fleet.groups[group] for group in off} & set(await fleet.sent())
    await switch(fleet, first, enabled=True)
    await eventually(lambda: fleet.ended(broadcast_id), within=10)
    assert len(await fleet.sent()) == 6


async def test_it_has_no_slots_and_what_has_one_already_does_not_begin(fleet: Fleet) -> None:
    [first, second] = await bot_ids(fleet)
    await fleet.broadcast(await fleet.grow(1, first))
    for enabled in (False, True):
        await switch(fleet, first, enabled=enabled)
        async with fleet.db.transaction() as tx:
            await slots.provide(tx)
            assert ({slot.bot_id for slot in await slots.free(tx, timedelta())} == {first, second}) is enabled
            row = await tx.fetchrow("UPDATE deliveries SET state = 'slotted', slot_at = now() RETURNING *")
            assert row is not None
            begun = await deliveries.begin(tx, [(row["delivery_id"], row["slot_at"], first)], "me")
        assert len(begun) == enabled
