"""Basic groups that become supergroups: the row moves, whoever tells of it first, and everything with it."""

from __future__ import annotations

import asyncio
import random

import pytest
from common.ids import BotId, ChatId
from common.store import broadcasts, deliveries, groups, slots, steering, strays
from common.store.broadcasts import Targets
from common.store.pool import Tx
from common.testing.polling import eventually

from .town import Job, Town, migrate


@pytest.mark.parametrize("seed", range(4))
async def test_a_migrated_group_keeps_its_row_and_what_points_to_it(town: Town, bot_id: int, seed: int) -> None:
    """Both messages, twice, in any order."""
    chat_id = await town.found("group", bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    async with town.db.transaction() as tx:
        await tx.execute("UPDATE groups SET tags = '{kept}'")
    before = await town.group()
    await town.broadcast()
    new, jobs = await migrate(town, chat_id)
    assert len(jobs) == 2
    again = [job.model_copy(update={"update_id": job.update_id + 1000}) for job in jobs]
    order = [*jobs, *jobs, *again]
    random.Random(seed).shuffle(order)  # noqa: S311 (a test's order)
    await town.settle(order)
    group = await town.group()
    assert (group["group_id"], group["chat_id"], group["kind"], group["tags"], group["phase"]) == (
        before["group_id"], new, "supergroup", ["kept"], "discovered",
    )  # fmt: skip
    [delivery] = await town.rows("deliveries")
    assert (delivery["group_id"], delivery["state"]) == (group["group_id"], "pending")
    assert [entry["action"] for entry in await town.rows("audit")] == ["group.discovered", "group.migrated"]
    assert {(row["chat_id"], row["status"]) for row in await town.rows("bot_chats")} == {
        (chat_id, "migrated"), (new, "in"),
    }  # fmt: skip
    # The bot's place moved with it: what happens in the new chat is this group's.
    await town.sim.admin("POST", f"chats/{new}/kick", bot_id=bot_id)
    await town.settle()
    assert (await town.group())["phase"] == "lost"


async def test_a_late_word_on_the_old_chat_makes_no_second_group(town: Town, bot_id: int) -> None:
    chat_id = await town.found("group", bots=[{"id": bot_id}])
    [late] = [job for job in await town.jobs() if job.kind == "process_bot_membership"]
    new, jobs = await migrate(town, chat_id)
    await town.settle([*jobs, late])
    assert (await town.group())["chat_id"] == new


@pytest.mark.parametrize("first", [0, 1])
async def test_where_both_chats_are_groups_already_the_older_one_stays(town: Town, bot_id: int, first: int) -> None:
    """Somebody has registered the new chat before the migration was heard of."""
    chat_id = await town.found("group", bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    new, jobs = await migrate(town, chat_id)
    async with town.db.transaction() as tx:
        await groups.register(tx, BotId(bot_id), ChatId(new), title="double", kind="supergroup")
    await town.broadcast()
    old_row, _ = await town.rows()
    async with town.db.transaction() as tx:  # one more, that only the double has
        targets = Targets(group_ids=[old_row["group_id"] + 1])
        only = await broadcasts.create(tx, targets, {"method": "sendMessage", "params": {"text": "x"}})
        await deliveries.plan(tx, only, targets, limit=10)
        await broadcasts.planned(tx, only)
    await town.settle([jobs[first], jobs[1 - first]])
    stays, pointer = await town.rows()
    assert (stays["group_id"], stays["chat_id"], stays["phase"]) == (old_row["group_id"], new, "discovered")
    assert (pointer["chat_id"], pointer["phase"], pointer["migrated_to"]) == (chat_id, "migrated", new)
    kept = [(row["broadcast_id"], row["group_id"], row["state"]) for row in await town.rows("deliveries")]
    assert sorted(kept) == [
        (only - 1, stays["group_id"], "pending"),
        (only - 1, pointer["group_id"], "cancelled"),
        (only, stays["group_id"], "pending"),
    ]


async def test_what_waits_for_a_double_is_not_sent_by_a_bot_that_its_key_was_not_for(town: Town, bot_id: int) -> None:
    chat_id = await town.found("group", bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    new, jobs = await migrate(town, chat_id)
    async with town.db.transaction() as tx:
        other = BotId(await tx.fetchval("SELECT bot_id FROM bots WHERE bot_id <> $1", bot_id))
        double = await groups.register(tx, other, ChatId(new), title="double", kind="supergroup")
        targets = Targets(group_ids=[double], bot_ids=[other])
        limited = await broadcasts.create(tx, targets, {"method": "sendMessage", "params": {"text": "x"}})
        await deliveries.plan(tx, limited, targets, limit=10)
        await broadcasts.planned(tx, limited)
    await town.settle(jobs)
    [row] = await town.rows("deliveries")
    assert (row["bot_id"], row["state"]) == (other, "cancelled")
    assert row["reason"] == "the group has a bot that this broadcast is not for"


async def doubled(town: Town, bot_id: int, state: str) -> tuple[list[Job], int]:
    """A group and its double, which has the only delivery, in that state and with slot and turn; then what tells of
    the migration.
    """
    chat_id = await town.found("group", bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    new, jobs = await migrate(town, chat_id)
    async with town.db.transaction() as tx:
        double = await groups.register(tx, BotId(bot_id), ChatId(new), title="double", kind="supergroup")
        targets = Targets(group_ids=[double])
        made = await broadcasts.create(tx, targets, {"method": "sendMessage", "params": {"text": "x"}})
        await deliveries.plan(tx, made, targets, limit=10)
        await broadcasts.planned(tx, made)
        delivery_id: int = await tx.fetchval(
            "UPDATE deliveries SET state = $1, slot_at = now() RETURNING delivery_id", state
        )
        await slots.provide(tx)
        await tx.execute("UPDATE bot_slots SET held_by = $1 WHERE bot_id = $2 AND slot = 1", str(delivery_id), bot_id)
        await tx.execute("UPDATE group_turns SET held_by = $1", delivery_id)
    return jobs, delivery_id


async def test_what_has_a_slot_for_a_double_waits_for_the_group(town: Town, bot_id: int) -> None:
    jobs, _ = await doubled(town, bot_id, "slotted")
    await town.settle(jobs)
    stays, _ = await town.rows()
    [row] = await town.rows("deliveries")
    assert (row["group_id"], row["state"], row["slot_at"]) == (stays["group_id"], "pending", None)
    assert {each["held_by"] for each in await town.rows("bot_slots") + await town.rows("group_turns")} == {None}


async def settled(tx: Tx) -> dict[str, int]:
    return await strays.settle(tx, await strays.look(tx, strays.START))


AGAIN = "UPDATE deliveries SET state = 'pending', reason = $1"
COPY = """INSERT INTO deliveries (broadcast_id, group_id, bot_id)
    SELECT broadcast_id, (SELECT min(group_id) FROM groups), bot_id FROM deliveries"""


@pytest.mark.parametrize(
    ("statement", "reason", "ends"),
    [
        ("SELECT 1", None, [("stays", "pending", None)]),
        (COPY, None, [("pointer", "cancelled", "the group has it under its new id"), ("stays", "pending", None)]),
        (COPY, "sender died", [("pointer", "unknown", "sender died"), ("stays", "pending", None)]),
        ("UPDATE groups SET migrated_to = 1 WHERE phase = 'migrated'", None, [("pointer", "failed", "migrated")]),
    ],
    ids=["alone", "twice", "twice, in doubt", "to nowhere"],
)
async def test_what_waits_again_after_the_merge_follows_too(
    town: Town, bot_id: int, statement: str, reason: str | None, ends: list[tuple[str, str, str | None]]
) -> None:
    """It was at Telegram meanwhile, and is to be sent once more."""
    jobs, _ = await doubled(town, bot_id, "sending")
    await town.settle(jobs)
    stays, pointer = await town.rows()
    async with town.db.transaction() as tx:
        await tx.execute(AGAIN, reason)
        await tx.execute(statement)
        assert await settled(tx) == {"barred": 0, "followed": 1, "handed_over": 0}
        assert (await strays.look(tx, strays.START)).pointers == []
    names = {stays["group_id"]: "stays", pointer["group_id"]: "pointer"}
    rows = await town.rows("deliveries")
    assert [(names[row["group_id"]], row["state"], row["reason"]) for row in rows] == ends


async def test_what_had_failed_before_the_merge_is_retried_in_the_group(town: Town, bot_id: int) -> None:
    jobs, _ = await doubled(town, bot_id, "failed")
    await town.settle(jobs)
    stays, _ = await town.rows()
    [row] = await town.rows("deliveries")
    async with town.db.transaction() as tx:
        assert await steering.again(tx, row["broadcast_id"], "failed") == 1
        assert (await settled(tx))["followed"] == 1
    [row] = await town.rows("deliveries")
    assert (row["group_id"], row["state"]) == (stays["group_id"], "pending")


async def test_what_is_in_doubt_under_the_former_id_stays_so(town: Town, bot_id: int) -> None:
    """The group may have it already under its new one: then nobody would say any more that it may have it twice."""
    jobs, _ = await doubled(town, bot_id, "unknown")
    await town.settle(jobs)
    [row] = await town.rows("deliveries")
    async with town.db.transaction() as tx:
        assert await steering.again(tx, row["broadcast_id"], "unknown") == 0


async def test_a_chat_that_nobody_knew_is_discovered_by_its_migration(town: Town, bot_id: int) -> None:
    chat_id = await town.found("group", bots=[{"id": bot_id}])
    await town.jobs()  # the addition was before Muster's time
    new, jobs = await migrate(town, chat_id)
    await town.settle(jobs)
    group = await town.group()
    assert (group["chat_id"], group["phase"], group["title"]) == (new, "discovered", "Engines")


async def test_a_registration_that_commits_during_the_migration(town: Town, bot_id: int) -> None:
    chat_id = await town.found("group", bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    new, [job, _] = await migrate(town, chat_id)

    async def waits() -> bool:
        async with town.db.transaction() as tx:
            # In this database: others' tests wait for locks too.
            ours = "wait_event_type = 'Lock' AND datname = current_database()"
            return bool(await tx.fetchval(f"SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE {ours})"))  # noqa: S608

    async with town.db.transaction() as tx:
        await groups.register(tx, BotId(bot_id), ChatId(new), title="raced", kind="supergroup")
        moving = asyncio.create_task(town.handle(job))
        await eventually(waits)
    await moving
    assert [(row["chat_id"], row["phase"]) for row in await town.rows()] == [
        (new, "discovered"), (chat_id, "migrated"),
    ]  # fmt: skip


async def test_both_messages_at_once_and_a_registration_in_between(town: Town, bot_id: int) -> None:
    for n in range(10):
        chat_id = await town.found("group", bots=[{"id": bot_id}])
        await town.settle()
        new, jobs = await migrate(town, chat_id)

        async def register(new: int = new) -> None:
            async with town.db.transaction() as tx:
                await groups.register(tx, BotId(bot_id), ChatId(new), title="raced", kind="supergroup")

        await asyncio.gather(*(town.handle(job) for job in jobs), register())
        living = [row for row in await town.rows() if row["phase"] != "migrated"]
        assert len(living) == n + 1
        assert new in [row["chat_id"] for row in living]


async def test_what_was_handled_once_is_never_begun_again(town: Town, bot_id: int) -> None:
    """Whatever became of the rows since: the mark of the update decides."""
    chat_id = await town.found("group", bots=[{"id": bot_id}])
    jobs = await town.jobs() + (await migrate(town, chat_id))[1]
    await town.settle(jobs)
    assert len(await town.rows()) == 1
    async with town.db.transaction() as tx:
        await tx.execute("TRUNCATE bot_chats, groups")
    await town.settle(jobs)
    assert (await town.rows(), await town.rows("bot_chats")) == ([], [])
