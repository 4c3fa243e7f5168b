"""Groups that register themselves: bots of a simulated Telegram are added, promoted and kicked."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest
from common.bus.consumer import Limits
from common.ids import BotId, ChatId
from common.queues import TGMS_QUEUE
from common.runtime import JobStore
from common.store import bots, broadcasts, groups
from common.testing.builders import make_bot
from common.testing.consuming import consuming
from common.testing.polling import eventually
from common.testing.rabbitmq import Broker
from telegram_sim.membership import post

from .town import Town

WANTED = ["can_invite_users", "can_restrict_members"]


async def test_a_group_is_there_when_the_bot_is_added_and_has_health_when_it_is_promoted(
    town: Town, bot_id: int
) -> None:
    chat_id = await town.found(bots=[{"id": bot_id}])
    await town.settle()
    group = await town.group()
    assert (group["chat_id"], group["bot_id"], group["title"], group["kind"]) == (
        chat_id, bot_id, "Engines", "supergroup",
    )  # fmt: skip
    assert (group["phase"], group["health"], group["missing_rights"]) == ("discovered", "blind", WANTED)
    await town.sim.admin("POST", f"chats/{chat_id}/promote", bot_id=bot_id, can_invite_users=True)
    await town.settle()
    group = await town.group()
    assert (group["health"], group["missing_rights"]) == ("degraded", ["can_restrict_members"])
    await town.sim.admin("POST", f"chats/{chat_id}/promote", bot_id=bot_id)
    await town.settle()
    assert [(await town.group())[name] for name in ("health", "missing_rights")] == ["ok", []]
    await town.sim.admin("POST", f"chats/{chat_id}/member", bot_id=bot_id, status="restricted")
    await town.settle()
    group = await town.group()
    assert (group["phase"], group["health"]) == ("discovered", "degraded")
    assert group["missing_rights"][0] == "can_send_messages"
    [entry] = await town.rows("audit")
    assert (entry["action"], entry["actor"], entry["bot_ids"]) == ("group.discovered", f"telegram:{bot_id}", [bot_id])


@pytest.mark.parametrize("how", ["kick", "leave"])
async def test_a_group_without_its_bot_is_lost_and_nothing_waits_for_it(town: Town, bot_id: int, how: str) -> None:
    chat_id = await town.found(bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    async with town.db.transaction() as tx:
        await tx.execute("UPDATE groups SET tags = '{kept}', failures = 2")
    await town.broadcast()
    await town.sim.admin("POST", f"chats/{chat_id}/{how}", bot_id=bot_id)
    await town.settle()
    group = await town.group()
    assert (group["phase"], group["health"]) == ("lost", "unreachable")
    [delivery] = await town.rows("deliveries")
    assert (delivery["state"], delivery["reason"]) == ("failed", "the bot is not in the group any more")
    assert delivery["settled_at"] is not None
    async with town.db.transaction() as tx:
        assert await broadcasts.finish(tx)  # nothing holds its broadcast open
        await tx.execute("UPDATE groups SET out_reason = 'gone', failures = 3")
    await town.sim.admin("POST", f"chats/{chat_id}/member", bot_id=bot_id, status="administrator")
    await town.settle()
    group = await town.group()
    assert (group["phase"], group["health"], group["tags"]) == ("discovered", "ok", ["kept"])
    assert (group["failures"], group["out_reason"]) == (0, None)
    assert [entry["action"] for entry in await town.rows("audit")] == [
        "group.discovered", "group.lost", "group.discovered",
    ]  # fmt: skip


async def test_a_right_that_is_back_lets_the_group_in_again_and_nothing_else_does(town: Town, bot_id: int) -> None:
    chat_id = await town.found(bots=[{"id": bot_id, "status": "restricted"}])
    await town.settle()
    for reason, left in (("rights", None), ("refused", "refused")):
        async with town.db.transaction() as tx:
            await tx.execute("UPDATE groups SET out_reason = $1, failures = 3", reason)
        await town.sim.admin("POST", f"chats/{chat_id}/promote", bot_id=bot_id)
        await town.settle()
        group = await town.group()
        assert (group["out_reason"], group["failures"]) == (left, 3 if left else 0)
        await town.sim.admin("POST", f"chats/{chat_id}/member", bot_id=bot_id, status="restricted")
        await town.settle()


async def test_every_order_of_the_same_updates_ends_the_same(town: Town, bot_id: int) -> None:
    """Jobs of one chat may be handled at once by several tasks: the newest word counts, whenever it is heard."""
    chat_id = await town.found(bots=[{"id": bot_id}])
    await town.sim.admin("POST", f"chats/{chat_id}/promote", bot_id=bot_id)
    await town.sim.admin("POST", f"chats/{chat_id}/kick", bot_id=bot_id)
    jobs = [job for job in await town.jobs() if job.kind == "process_bot_membership"]
    assert len(jobs) == 3
    for order in itertools.permutations(jobs):
        async with town.db.transaction() as tx:
            await tx.execute("TRUNCATE inbox, bot_chats, groups CASCADE")
        await town.settle([*order, *order])
        assert {row["phase"] for row in await town.rows()} <= {"lost"}, [job.update_id for job in order]


async def test_the_same_update_again_changes_nothing(town: Town, bot_id: int) -> None:
    await town.found(bots=[{"id": bot_id}])
    jobs = await town.jobs()
    await town.settle(jobs)
    before = (await town.rows(), await town.rows("audit"), await town.rows("inbox"))
    async with town.db.transaction() as tx:
        await tx.execute("UPDATE groups SET title = 'changed since'")
    await asyncio.gather(*(town.handle(job) for job in jobs if job.kind == "process_bot_membership"))
    assert (await town.group())["title"] == "changed since"
    assert (await town.rows("audit"), await town.rows("inbox")) == before[1:]


async def test_a_group_by_api_keeps_its_settings_when_its_bot_is_seen(town: Town, bot_id: int) -> None:
    chat_id = await town.found(bots=[{"id": bot_id, "status": "administrator"}])
    async with town.db.transaction() as tx:
        await groups.register(tx, BotId(bot_id), ChatId(chat_id), title="", kind="group", tags=["mine"])
    await town.settle()
    group = await town.group()
    assert (group["title"], group["kind"], group["tags"], group["phase"]) == (
        "Engines", "supergroup", ["mine"], "discovered",
    )  # fmt: skip


async def test_a_group_has_one_bot_and_another_takes_over_only_when_that_one_is_gone(
    town: Town, bot_id: int, other_id: int
) -> None:
    chat_id = await town.found(bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    await town.sim.admin("POST", f"chats/{chat_id}/member", bot_id=other_id, status="member")
    await town.sim.admin("POST", f"chats/{chat_id}/kick", bot_id=other_id)
    await town.settle()
    group = await town.group()
    assert (group["bot_id"], group["phase"], group["health"]) == (bot_id, "discovered", "ok")
    await town.sim.admin("POST", f"chats/{chat_id}/kick", bot_id=bot_id)
    await town.settle()
    await town.sim.admin("POST", f"chats/{chat_id}/member", bot_id=other_id, status="administrator")
    await town.settle()
    group = await town.group()
    assert (group["bot_id"], group["phase"]) == (other_id, "discovered")


async def test_an_archived_group_stays_archived_and_a_channel_is_no_group(town: Town, bot_id: int) -> None:
    await town.found("channel", bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    assert await town.rows() == []
    chat_id = await town.found(bots=[{"id": bot_id}])
    await town.settle()
    async with town.db.transaction() as tx:
        await tx.execute("UPDATE groups SET phase = 'archived'")
    await town.sim.admin("POST", f"chats/{chat_id}/kick", bot_id=bot_id)
    await town.settle()
    assert (await town.group())["phase"] == "archived"


async def test_a_bot_that_is_not_registered_leaves_its_update_to_be_replayed(town: Town) -> None:
    bot = await town.sim.admin("POST", "bots")
    await town.found(bots=[{"id": bot["id"]}])
    town.tokens = {bot["id"]: bot["token"]}
    [job] = [job for job in await town.jobs() if job.kind == "process_bot_membership"]
    await town.settle([job])
    assert town.rejected == ["the bot is not registered: replay this when it is"]
    assert await town.rows("inbox") == []
    async with town.db.transaction() as tx:
        await bots.save(tx, make_bot(bot_id=BotId(bot["id"])))
    await town.settle([job])
    assert (await town.group())["bot_id"] == bot["id"]


async def test_the_newest_title_counts(town: Town, bot_id: int) -> None:
    chat_id = await town.found(bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    world = town.sim.stage.world
    for words in ("Second", "Third\0", "Fourth"):
        world.groups[chat_id].title = words
        post(world, world.groups[chat_id], {"new_chat_title": words})
    second, third, fourth = await town.jobs()
    assert fourth.kind == "process_service_message"
    await town.settle([third])
    assert (await town.group())["title"] == "Third"
    await town.settle([fourth, second, third])
    assert (await town.group())["title"] == "Fourth"


async def test_nothing_is_made_of_other_service_messages(town: Town, bot_id: int) -> None:
    chat_id = await town.found(bots=[{"id": bot_id, "status": "administrator"}])
    await town.settle()
    before = await town.group()
    town.rejected.clear()
    post(town.sim.stage.world, town.sim.stage.world.groups[chat_id], {"pinned_message": {"message_id": 1}})
    await town.settle()
    assert (town.rejected, await town.group()) == ([], before)


async def test_through_the_queue(town: Town, bot_id: int, broker: Broker) -> None:
    queue = await broker.queue(TGMS_QUEUE)
    await town.found(bots=[{"id": bot_id}])
    for job in await town.jobs():
        body = TGMS_QUEUE.adapter.dump_json(job)
        await broker.put(queue.name, body)
        await broker.put(queue.name, body)

    async def there() -> bool:
        return len(await town.rows()) == 1 and await broker.depth(queue.name) == 0

    async with consuming(broker.url, queue, town.handle, JobStore(town.db.pool), Limits(grace=5)):
        await eventually(there)
    assert (await town.group())["phase"] == "discovered"


@pytest.mark.parametrize("kind", ["process_bot_membership", "process_migration", "process_service_message"])
async def test_nonsense_is_rejected_and_never_a_surprise(town: Town, bot_id: int, kind: str) -> None:
    rng = random.Random(7)  # noqa: S311 (a test's choice)
    atoms: list[Any] = [None, True, 0, -5, -1001, 2**70, 1e300, "x", "\0", [], {}, [{}], "group", "left", bot_id]
    names = ["chat", "new_chat_member", "date", "migrate_to_chat_id", "migrate_from_chat_id", "new_chat_title", "user"]

    def thing(depth: int) -> Any:
        if depth == 0 or rng.random() < 0.3:
            return rng.choice(atoms)
        return {name: thing(depth - 1) for name in rng.sample([*names, "id", "type", "status", "title"], 5)}

    for n in range(300):
        update = {"update_id": n, "my_chat_member": thing(3), "message": thing(3)}
        fields = {"kind": kind, "bot_id": bot_id, "update_id": n, "update": update}
        await town.settle([TGMS_QUEUE.adapter.validate_python(fields)])
    assert len(town.rejected) + len(await town.rows("inbox")) == 300
