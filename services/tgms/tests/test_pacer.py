"""What the pacer hands out, while others settle the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from common.ids import BotId
from common.store import reaping, revision_items, slots, strays
from common.testing.polling import eventually
from common.testing.postgres import Database
from tgms import pacer
from tgms.leader import Leader
from tgms.pacer import Pacer

ROWS = """
INSERT INTO bots (bot_id, username, token, token_key, per_second) VALUES (1, 'b1', 'x', 'k1', 2);
INSERT INTO groups (bot_id, chat_id) VALUES (1, -1), (1, -2);
INSERT INTO group_turns (group_id) SELECT group_id FROM groups;
"""
SENDS = """
INSERT INTO broadcasts (state, content, planned) VALUES ('running', '{}', true), ('running', '{}', true);
INSERT INTO deliveries (broadcast_id, group_id, bot_id) SELECT b.broadcast_id, g.group_id, 1
    FROM broadcasts b JOIN groups g ON (b.broadcast_id - g.group_id) % 2 = 0;
"""
RECALL = """
INSERT INTO broadcasts (state, content) VALUES ('done', '{}');
INSERT INTO revisions (broadcast_id, kind, priority, planned) SELECT broadcast_id, 'recall', 10, true FROM broadcasts;
INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id, deadline)
    SELECT r.revision_id, g.group_id, g.group_id, 1, now() + interval '1 h' FROM revisions r CROSS JOIN groups g;
"""
# How one of the two rows ends while the other goes on.
SENDS_END = "UPDATE broadcasts SET expires_at = now() - interval '1 ms' WHERE broadcast_id % 2 = 0"
RECALL_ENDS = "UPDATE revision_items SET deadline = now() WHERE group_id % 2 = 0"


# Fifty more groups before one that may be sent to, and their windows are closed.
LAST = 53
CLOSED = """
DELETE FROM deliveries;
INSERT INTO groups (bot_id, chat_id, window_from, window_to)
    SELECT 1, -n, (now() AT TIME ZONE 'UTC' + interval '2 h')::time, (now() AT TIME ZONE 'UTC' + interval '3 h')::time
    FROM generate_series(3, 52) n;
INSERT INTO groups (bot_id, chat_id) VALUES (1, -53);
INSERT INTO group_turns (group_id) SELECT group_id FROM groups ON CONFLICT DO NOTHING;
INSERT INTO deliveries (broadcast_id, group_id, bot_id) SELECT 1, group_id, 1 FROM groups WHERE group_id > 2;
"""


@dataclass
class Published:
    """In the broker's place."""

    jobs: list[Any] = field(default_factory=list)

    async def publish(self, _: Any, job: Any, *, job_id: str) -> None:
        """Kept."""
        assert job_id
        self.jobs.append(job)


@pytest.mark.parametrize(
    ("rows", "end", "expire", "table", "ended"),
    [
        (SENDS, SENDS_END, reaping.expire, "deliveries", "expired"),
        (RECALL, RECALL_ENDS, revision_items.expire, "revision_items", "not_recallable"),
    ],
)
async def test_what_ends_while_slots_are_handed_out_keeps_its_end(
    db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch, *, rows: str, end: str,
    expire: Callable[[Any], Awaitable[int]], table: str, ended: str,
) -> None:  # fmt: skip
    """Written over, it became `pending` in a broadcast that was over, for ever."""
    async with db.transaction() as tx:
        await tx.execute(ROWS + rows)
    hold = slots.hold

    async def while_it_ends(tx: Any, taken: Any) -> Any:
        async with db.transaction() as reaper:
            await reaper.execute(end)
            assert await expire(reaper) == 1
        return await hold(tx, taken)

    monkeypatch.setattr(slots, "hold", while_it_ends)
    published: Any = Published()
    await Pacer(db.pool, published, leader)._tick()
    async with db.transaction() as tx:
        states = [row["state"] for row in await tx.fetch(f"SELECT state FROM {table} ORDER BY group_id % 2")]  # noqa: S608
        held = await tx.fetch("SELECT held_by FROM bot_slots WHERE held_by IS NOT NULL")
        turns = await tx.fetch("SELECT held_by FROM group_turns WHERE held_by IS NOT NULL")
    assert states == [ended, "slotted"]
    assert len(held) == len(turns) == len(published.jobs) == 1


async def test_what_is_handed_over_while_slots_are_handed_out_is_not_the_old_bots(
    db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It called, for the row and the group agreed; its 403 lost the group for the new one."""
    async with db.transaction() as tx:
        await tx.execute(ROWS + SENDS)
        await tx.execute("INSERT INTO bots (bot_id, username, token, token_key) VALUES (2, 'b2', 'x', 'k1')")
    hold = slots.hold

    async def while_it_is_taken_over(tx: Any, taken: Any) -> Any:
        async with db.transaction() as other:
            await other.execute("UPDATE groups SET bot_id = 2 WHERE group_id = 1")
            found = await strays.look(other, strays.START)
            assert (await strays.settle(other, found))["handed_over"] == 1
        return await hold(tx, taken)

    monkeypatch.setattr(slots, "hold", while_it_is_taken_over)
    published: Any = Published()
    await Pacer(db.pool, published, leader)._tick()
    assert [job.group_id for job in published.jobs] == [2]
    async with db.transaction() as tx:
        rows = await tx.fetch("SELECT bot_id, state FROM deliveries ORDER BY group_id")
        assert [tuple(row) for row in rows] == [(2, "pending"), (1, "slotted")]
        assert await tx.fetchval("SELECT count(*) FROM bot_slots WHERE held_by IS NOT NULL") == 1


async def test_nobody_waits_for_a_row_that_another_has_locked(db: Database, leader: Leader) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS + SENDS)
    published: Any = Published()
    async with db.transaction() as other:
        await other.execute("SELECT 1 FROM deliveries WHERE group_id % 2 = 0 FOR UPDATE")
        await Pacer(db.pool, published, leader)._tick()
        assert len(published.jobs) == 1
        async with db.transaction() as tx:
            assert await tx.fetchval("SELECT count(*) FROM bot_slots WHERE held_by IS NOT NULL") == 1
            assert len(await slots.free(tx, timedelta())) == 1


async def test_an_album_that_lost_one_of_its_slots_to_a_reply_waits_and_keeps_none(
    db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS + SENDS)
        await tx.execute(
            "UPDATE broadcasts SET content = $1", {"method": "sendMediaGroup", "params": {"media": [{}, {}]}}
        )
        assert await tx.fetchval("SELECT min(items) FROM broadcasts") == 2
        await slots.provide(tx)
    hold = slots.hold

    async def beside_a_reply(tx: Any, taken: Any) -> Any:
        async with db.transaction() as dm:
            assert len(await slots.take(dm, BotId(1), 1, "reply")) == 1
        return await hold(tx, taken)

    monkeypatch.setattr(slots, "hold", beside_a_reply)
    published: Any = Published()
    await Pacer(db.pool, published, leader)._tick()
    async with db.transaction() as tx:
        holders = [row["held_by"] for row in await tx.fetch("SELECT held_by FROM bot_slots ORDER BY held_by")]
        assert await tx.fetchval("SELECT count(*) FROM deliveries WHERE state = 'pending'") == 2
    assert holders == ["reply", None]
    assert published.jobs == []


@pytest.mark.parametrize(("rows", "looks"), [("", 0), (SENDS, 1), (RECALL, 1)])
async def test_slots_are_looked_at_where_something_waits(
    db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch, *, rows: str, looks: int
) -> None:
    """An idle fleet's slots are thousands, and the pacer has twenty ticks a second."""
    async with db.transaction() as tx:
        await tx.execute(ROWS + rows)
    looked, free = [], slots.free

    async def look(tx: Any, horizon: timedelta) -> Any:
        looked.append(horizon)
        return await free(tx, horizon)

    monkeypatch.setattr(slots, "free", look)
    published: Any = Published()
    await Pacer(db.pool, published, leader)._tick()
    assert (len(looked), len(published.jobs)) == (looks, 2 * looks)


async def test_an_open_window_behind_closed_ones_is_found_at_once(
    db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick looks at as many as there are slots: thousands of closed windows were a quarter of a minute."""
    monkeypatch.setattr(pacer, "TICK", 60.0)
    async with db.transaction() as tx:
        await tx.execute(ROWS + SENDS)
        await tx.execute(CLOSED)
    published, stop = cast("Any", Published()), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Pacer(db.pool, published, leader).run(stop))
        await eventually(lambda: any(job.group_id == LAST for job in published.jobs), within=10)
        stop.set()
