"""What waits for groups that can't have it as it is: barred, merged or taken over, lately or long ago."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.errors import StoreUnavailable
from common.ids import BotId, ChatId
from common.store import broadcasts, deliveries, groups, moving, steering, strays
from common.store.broadcasts import Targets
from common.testing.postgres import Database, make_pool
from tgms.leader import Leader
from tgms.strays import Strays

from .town import Town

AHEAD = timedelta(milliseconds=150)
CONTENT = {"method": "sendMessage", "params": {"text": "x"}}
# The bots of a whole fleet were given up for another one, half of the groups are out of sending, and of hundreds of
# open broadcasts one row waits with a bot that its group no longer has.
FLEET = """
INSERT INTO bots (bot_id, username, token, token_key) VALUES (1, 'a', 'x', 'k1'), (2, 'b', 'x', 'k1');
INSERT INTO groups (bot_id, chat_id, final_message_allowed) SELECT 2, -n, n % 2 = 0 FROM generate_series(1, 50000) n;
INSERT INTO broadcasts (state, content, planned, send_at)
    SELECT ('{scheduled,running,paused}'::text[])[n % 3 + 1], '{}', true, now() + interval '1 h'
    FROM generate_series(1, 300) n;
INSERT INTO deliveries (broadcast_id, group_id, bot_id) VALUES (1, 50000, 1);
ANALYZE;
"""


async def due(town: Town) -> list[int]:
    """The bots with which something waits."""
    async with town.db.transaction() as tx:
        wanted = {BotId(bot_id): 9 for bot_id in town.tokens}
        return [found.bot_id for found in await deliveries.candidates(tx, wanted, AHEAD, turn=0)]


async def test_a_round_takes_no_longer_when_the_whole_fleet_has_changed(db: Database, leader: Leader) -> None:
    """Each changed group was looked up for each open broadcast, until the round met its timeout and did nothing."""
    pool = make_pool(db.url, timeout=45)
    async with pool.transaction("fill") as tx:
        await tx.execute(FLEET)
    await pool.close()
    began = time.monotonic()
    await Strays(db.pool, leader)._round()
    assert time.monotonic() - began < 2
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT bot_id FROM deliveries") == 2


async def test_what_waits_is_read_in_slices_round_and_round(
    town: Town, bot_id: int, other_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town.db.transaction() as tx:
        for n in range(1, 6):
            await groups.register(tx, BotId(bot_id), ChatId(-n), title="g", kind="group")
    await town.broadcast()
    monkeypatch.setattr(strays, "_SLICE", 2)
    async with town.db.transaction() as tx:
        last = await tx.fetchval("SELECT max(delivery_id) FROM deliveries")
        await tx.execute("UPDATE groups SET bot_id = $1 WHERE chat_id = -5", other_id)
        place, found = strays.START, []
        for _ in range(4):
            strayed = await strays.look(tx, place)
            place = strayed.reached
            found.append(strayed.elsewhere)
    assert found == [[], [], [last], []]


async def test_strays_that_can_not_be_settled_hold_up_no_others(
    town: Town, bot_id: int, leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town.db.transaction() as tx:
        for n in (1, 2):
            await groups.register(tx, BotId(bot_id), ChatId(-n), title="g", kind="group")
    await town.broadcast()
    async with town.db.transaction() as tx:
        await tx.execute("UPDATE groups SET phase = 'archived' WHERE chat_id = -2")
    monkeypatch.setattr(strays, "_SLICE", 1)
    settle, reached = strays.settle, []

    async def slow(_: Any, found: strays.Strays) -> Any:
        reached.append(found.reached)
        raise StoreUnavailable

    work = Strays(town.db.pool, leader)
    monkeypatch.setattr(strays, "settle", slow)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await work._round()
    assert len(set(reached)) == 2, "the first ones keep the others from nothing"
    monkeypatch.setattr(strays, "settle", settle)
    for _ in range(3):
        await work._round()
    assert [row["state"] for row in await town.rows("deliveries")] == ["pending", "failed"]


@pytest.mark.parametrize("out", ["final_message_allowed = false", "phase = 'paused'"])
async def test_what_follows_into_a_group_that_was_out_of_sending_long_ago_has_an_end(
    town: Town, bot_id: int, leader: Leader, out: str
) -> None:
    async with town.db.transaction() as tx:
        stays = await groups.register(tx, BotId(bot_id), ChatId(-1001234567890), title="new", kind="supergroup")
        await tx.execute(f"UPDATE groups SET {out}, updated_at = now() - interval '7 days'")  # noqa: S608 (our words)
        double = await groups.register(tx, BotId(bot_id), ChatId(-77), title="old", kind="group")
        targets = Targets(group_ids=[double])
        made = await broadcasts.create(tx, targets, CONTENT)
        await deliveries.plan(tx, made, targets, limit=10)
        await broadcasts.planned(tx, made)
        await moving.move(tx, ChatId(-77), ChatId(-1001234567890))
    work = Strays(town.db.pool, leader)
    await work._round()
    async with town.db.transaction() as tx:
        await broadcasts.finish(tx)
    [row], [broadcast] = await town.rows("deliveries"), await town.rows("broadcasts")
    assert (row["group_id"], row["state"], broadcast["state"]) == (stays, "failed", "done")


async def test_what_follows_its_group_does_not_wait_for_the_pointers_window(town: Town, bot_id: int) -> None:
    """It waited for a day that the group knows nothing of; what has begun still goes first."""
    async with town.db.transaction() as tx:
        stays = await groups.register(tx, BotId(bot_id), ChatId(-1001234567890), title="new", kind="supergroup")
        double = await groups.register(tx, BotId(bot_id), ChatId(-77), title="old", kind="group")
        await tx.execute(
            """UPDATE groups SET window_from = (now() AT TIME ZONE 'UTC' + interval '12 h')::time,
                   window_to = (now() AT TIME ZONE 'UTC' + interval '13 h')::time WHERE group_id = $1""",
            double,
        )
        targets = Targets(group_ids=[double])
        for parts_done in (0, 1):
            made = await broadcasts.create(tx, targets, CONTENT)
            await deliveries.plan(tx, made, targets, limit=10)
            await broadcasts.planned(tx, made)
            begun = "UPDATE deliveries SET parts_done = 1, not_before = to_timestamp(-1) WHERE broadcast_id = $1"
            await tx.execute(begun if parts_done else "SELECT $1::bigint", made)
        found = await deliveries.candidates(tx, {BotId(bot_id): 9}, AHEAD, turn=0)
        await deliveries.postpone(tx, [candidate for candidate in found if candidate.due_at > datetime.now(UTC)])
        await moving.move(tx, ChatId(-77), ChatId(-1001234567890))
    rows = await town.rows("deliveries")
    assert [(row["group_id"], row["not_before"].timestamp()) for row in rows] == [(stays, 0.0), (stays, -1.0)]


async def test_what_was_taken_over_by_whoever_says_nothing_of_it_is_handed_over(
    town: Town, bot_id: int, other_id: int, leader: Leader
) -> None:
    """As the version before did, while this one is rolled out."""
    await town.found("group", bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    await town.broadcast()
    async with town.db.transaction() as tx:
        await tx.execute("UPDATE groups SET bot_id = $1", other_id)
    await Strays(town.db.pool, leader)._round()
    assert await due(town) == [other_id]


async def test_what_an_operator_has_seen_goes_on_with_the_bot_that_the_group_has(
    town: Town, bot_id: int, other_id: int, leader: Leader
) -> None:
    await town.found("group", bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    made = await town.broadcast()
    async with town.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'unknown', parts = 3, settled_at = now()")
        await tx.execute("UPDATE groups SET bot_id = $1, updated_at = now() - interval '7 days'", other_id)
        assert await steering.mark_sent(tx, made) == 1
    await Strays(town.db.pool, leader)._round()
    assert await due(town) == [other_id]
