"""Slots that nobody will give back are freed, and those of a long upload are not."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from common.store import reaping, revision_items
from common.store.pool import Tx
from common.testing.postgres import Database

from .plans import FILLED, Explainer, filling

HELD = timedelta(seconds=60)
ALBUM = {"method": "sendMediaGroup", "params": {"media": [{}, {}, {}]}}
ROWS = """
INSERT INTO bots (bot_id, username, token, token_key) VALUES (1, 'b1', 'x', 'k1');
INSERT INTO groups (bot_id, chat_id) VALUES (1, -1);
INSERT INTO broadcasts (state, content) VALUES ('running', '{}');
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state, slot_at, owner)
    SELECT 1, group_id, 1, 'sending', now(), 'w' FROM groups;
INSERT INTO revisions (broadcast_id, kind, priority) VALUES (1, 'recall', 10);
INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id, state, slot_at, owner)
    SELECT 1, delivery_id, group_id, 1, 'sending', now(), 'w' FROM deliveries;
INSERT INTO bot_slots (bot_id, slot) VALUES (1, 1);
"""
HOLDERS = {
    "deliveries": "SELECT delivery_id::text FROM deliveries",
    "revision_items": "SELECT item_id::text FROM revision_items",
}


async def held_by(tx: Tx, holder: str, seconds: int) -> int:
    """How many are freed of one slot that is held for so long."""
    await tx.execute(
        "UPDATE bot_slots SET held_by = $1, held_at = now() - $2::interval", holder, timedelta(seconds=seconds)
    )
    return await reaping.stuck_slots(tx, HELD)


@pytest.mark.parametrize("table", HOLDERS)
async def test_a_message_under_way_keeps_its_slot_however_long_its_upload_takes(db: Database, table: str) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        holder = await tx.fetchval(HOLDERS[table])
        for state in ("slotted", "sending"):
            await tx.execute(f"UPDATE {table} SET state = $1", state)  # noqa: S608 (our own names)
            assert await held_by(tx, holder, 3600) == 0
        await tx.execute(f"UPDATE {table} SET state = 'pending'")  # noqa: S608 (our own names)
        assert await held_by(tx, holder, 59) == 0
        assert await held_by(tx, holder, 61) == 1
        assert await tx.fetchval("SELECT held_by FROM bot_slots") is None


@pytest.mark.parametrize(("table", "rest"), [("deliveries", 3), ("revision_items", 1)])
async def test_what_may_have_been_sent_just_now_counts_in_telegrams_window(db: Database, table: str, rest: int) -> None:
    """Its sender died, and nobody knows when the call arrived: as if that were now, each item of an album its own."""
    settle = reaping.orphans if table == "deliveries" else revision_items.orphans
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        await tx.execute("UPDATE broadcasts SET content = $1", ALBUM)
        holder = await tx.fetchval(HOLDERS[table])
        await tx.execute("UPDATE bot_slots SET held_by = $1", holder)
        await tx.execute("INSERT INTO group_turns (group_id, held_by) SELECT group_id, $1 FROM groups", int(holder))
        assert await settle(tx, timedelta(seconds=8)) == 1
        slot = await tx.fetchrow("SELECT held_by, free_at - now() FROM bot_slots")
        turn = await tx.fetchrow("SELECT held_by, next_at - now() FROM group_turns")
    assert slot == (None, timedelta(seconds=1))
    assert turn == (None, timedelta(seconds=rest))


@pytest.mark.parametrize("holder", ["dm:7:8:0", "12345678901234567890123", "999"])
async def test_of_whom_no_row_speaks_is_freed_by_age(db: Database, holder: str) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        assert await held_by(tx, holder, 59) == 0
        assert await held_by(tx, holder, 61) == 1


@pytest.mark.parametrize("table", ["bot_slots", "group_turns"])
async def test_what_somebody_has_locked_is_passed_over(db: Database, table: str) -> None:
    """A sender that is frozen while it gives its slot back would hold up every round."""
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        await tx.execute("UPDATE deliveries SET state = 'sent'")
        await tx.execute("INSERT INTO group_turns (group_id, held_by) SELECT group_id, delivery_id FROM deliveries")
        await tx.execute("UPDATE bot_slots SET held_by = 'dm:7:8:0', held_at = now() - interval '1 h'")
    async with db.transaction() as frozen, db.transaction() as tx:
        await frozen.execute(f"UPDATE {table} SET held_by = held_by")  # noqa: S608 (our own names)
        freed = await asyncio.wait_for(reaping.stuck_slots(tx, HELD), 2)
        assert freed == (table != "bot_slots")
        assert await tx.fetchval("SELECT held_by IS NULL FROM group_turns") == (table != "group_turns")


async def test_messages_are_not_looked_for_in_whole_tables(db: Database) -> None:
    async with filling(db, FILLED) as tx:
        await tx.execute("UPDATE bot_slots SET held_by = slot, held_at = now() - interval '1 h' WHERE bot_id < 3")
        explainer = Explainer(tx)
        await reaping.stuck_slots(explainer, HELD)  # type: ignore[arg-type]  # stands for a transaction
    assert not explainer.scanned & {"deliveries", "revision_items"}
