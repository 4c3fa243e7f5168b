"""Groups that a send's answer says are gone: which of the call's chats it speaks of, and what is noted of the loss."""

from __future__ import annotations

from typing import Any

import pytest
from common.ids import BotId
from common.store import broadcasts
from common.telegram import errors
from common.telegram.client import BotApi
from common.telegram.errors import TelegramError
from common.testing.polling import eventually
from sender.rules import standing

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids
from .test_in_doubt import one_sending, slotted_again
from .test_told import fail, rows

pytestmark = pytest.mark.timeout(60)
NOT_FOUND = errors.ChatNotFound("400 chat not found")
MOVED = errors.Migrated(-1001)
KICKED = errors.Gone("403 bot was kicked")


def copy_of(from_chat_id: int, message_id: int = 1) -> dict[str, Any]:
    return {"method": "copyMessage", "params": {"from_chat_id": from_chat_id, "message_id": message_id}}


async def phases(fleet: Fleet) -> list[str]:
    return [group["phase"] for group in await rows(fleet, "groups")]


async def paused(fleet: Fleet, broadcast_id: int) -> str | None:
    async with fleet.db.transaction() as tx:
        found = await broadcasts.get(tx, broadcast_id)
    return found.pause_reason if found else None


async def end(fleet: Fleet, ids: list[int], content: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    broadcast_id = await fleet.broadcast(ids, content=content)
    await eventually(lambda: fleet.ended(broadcast_id), within=20)
    return [(row["state"], (row["reason"] or "").partition(": ")[0]) for row in await fleet.rows(broadcast_id)]


@pytest.mark.parametrize("outside", [False, True])
async def test_a_copy_from_a_chat_that_the_bot_cannot_see_loses_no_group(
    fleet: Fleet, brain: Direct, *, outside: bool
) -> None:
    [bot, other] = await bot_ids(fleet)
    ids = await fleet.grow(1, BotId(bot))
    [elsewhere] = await fleet.grow(1, BotId(other))
    innocent = await fleet.broadcast(ids)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET not_before = now() + interval '1 hour'")
    source = fleet.groups[elsewhere] if outside else -1009999999999
    broadcast_id = await fleet.broadcast(ids, content=copy_of(source))
    await eventually(lambda: paused(fleet, broadcast_id), within=20)
    reason = await paused(fleet, broadcast_id)
    assert reason is not None
    assert reason.startswith("content: 40")
    assert reason.endswith("(the original's)")
    assert await phases(fleet) == ["discovered", "discovered"]
    assert [group["failures"] for group in await rows(fleet, "groups")] == [0, 0]
    assert set((await fleet.ledger(innocent)).values()) == {"pending"}


async def test_a_copy_into_a_group_that_is_gone_loses_that_group_alone(fleet: Fleet, brain: Direct) -> None:
    bot = (await bot_ids(fleet))[0]
    source, out, into = await fleet.grow(3, BotId(bot))
    await fleet.sim.admin("POST", f"chats/{fleet.groups[out]}/kick", bot_id=bot)
    assert await end(fleet, [source]) == [("sent", "")]
    [original] = await fleet.shown(source, "text")
    content = copy_of(fleet.groups[source], original["message_id"])
    assert await end(fleet, [out, into], content) == [("failed", "gone"), ("sent", "")]
    assert await phases(fleet) == ["discovered", "lost", "discovered"]


async def test_a_copy_from_a_chat_that_moved_moves_no_group(fleet: Fleet, brain: Direct) -> None:
    """Telegram says the source's new id in the same words as a target's."""
    bot = BotId((await bot_ids(fleet))[0])
    [into] = await fleet.grow(1, bot)
    source = await fleet.sim.admin("POST", "chats", type="group", title="old", bots=[{"id": bot}])
    await fleet.sim.admin("POST", f"chats/{source['id']}/migrate")
    [(state, reason)] = await end(fleet, [into], copy_of(source["id"]))
    assert (state, reason) == ("failed", "400 the chat of the original became a supergroup")
    assert [group["chat_id"] for group in await rows(fleet, "groups")] == [fleet.groups[into]]


async def test_an_original_that_is_not_there_is_no_groups_failure(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(1, BotId((await bot_ids(fleet))[0]))
    for _ in range(3):
        [(state, reason)] = await end(fleet, ids, copy_of(fleet.groups[ids[0]], 987654))
        assert (state, reason) == ("failed", "400 Bad Request")
    assert [group["failures"] for group in await rows(fleet, "groups")] == [0]


async def test_a_topic_that_is_not_there_is_no_groups_failure(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(1, BotId((await bot_ids(fleet))[0]))
    content = {"method": "sendMessage", "params": {"text": "x", "message_thread_id": 77}}
    for _ in range(3):
        assert await end(fleet, ids, content) == [("failed", "topic")]
    assert [(group["failures"], group["out_reason"]) for group in await rows(fleet, "groups")] == [(0, None)]


async def test_a_chat_that_is_not_found_is_asked_for_before_its_group_is_lost(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(1, BotId((await bot_ids(fleet))[0]))
    await fail(fleet, "Bad Request: chat not found", 400)
    assert await end(fleet, ids) == [("failed", "refused")]
    assert await phases(fleet) == ["discovered"]
    rules = [
        {"method": method, "kind": "error", "error_code": 400, "description": "Bad Request: chat not found"}
        for method in ("sendMessage", "getChatMember")
    ]
    await fleet.sim.admin("PUT", "faults", rules=rules)
    assert await end(fleet, ids) == [("failed", "gone")]
    assert await phases(fleet) == ["lost"]


async def test_a_loss_is_in_the_trail_with_telegrams_words_and_what_waited(fleet: Fleet, brain: Direct) -> None:
    bot = (await bot_ids(fleet))[0]
    ids = await fleet.grow(1, BotId(bot))
    waits = await fleet.broadcast(ids)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET not_before = now() + interval '1 hour'")
    await fail(fleet, "Forbidden: bot was kicked from the supergroup chat")
    assert await end(fleet, ids) == [("failed", "gone")]
    [entry] = await rows(fleet, "audit")
    assert (entry["action"], entry["actor"], entry["bot_ids"]) == ("group.lost", f"telegram:{bot}", [bot])
    assert (entry["before"]["phase"], entry["after"]["phase"], entry["after"]["deliveries_failed"]) == (
        "discovered", "lost", 1,
    )  # fmt: skip
    assert entry["after"]["reason"] == "a send: 403 Forbidden: bot was kicked from the supergroup chat"
    assert set((await fleet.ledger(waits)).values()) == {"failed"}


async def test_what_the_former_bot_is_told_loses_no_group_of_another(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was removed and another one took over, while a send of its own was on the way."""
    _, other = await bot_ids(fleet)
    broadcast_id, job = await one_sending(fleet)
    await slotted_again(fleet)

    async def call(*_: Any, **__: Any) -> Any:
        async with fleet.db.transaction() as tx:
            await tx.execute("UPDATE groups SET bot_id = $1", other)
        raise errors.Gone("403 bot was kicked from the supergroup chat")

    monkeypatch.setattr(BotApi, "call", call)
    await fleet.handle(job)
    assert set((await fleet.ledger(broadcast_id)).values()) == {"failed"}
    assert await phases(fleet) == ["discovered"]


async def test_a_flood_that_the_question_meets_is_obeyed_by_all(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    broadcast_id, job = await one_sending(fleet)
    await slotted_again(fleet)

    async def call(_self: Any, _access: Any, method: str, *_: Any, **__: Any) -> Any:
        raise errors.Flood(300) if method == "getChatMember" else NOT_FOUND

    monkeypatch.setattr(BotApi, "call", call)
    await fleet.handle(job)
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM bots WHERE flood_until > now() + interval '4 min'") == 1
    [row] = await fleet.rows(broadcast_id)
    assert (row["state"], row["reason"], row["unsent"]) == ("pending", "flood", 1)


@pytest.mark.parametrize(
    ("error", "method", "expected"),
    [
        (KICKED, "sendMessage", False),
        (KICKED, "copyMessage", True),
        (NOT_FOUND, "sendMessage", True),
        (NOT_FOUND, "copyMessage", True),
        (MOVED, "sendMessage", False),
        (MOVED, "copyMessage", True),
        (errors.NoRights(), "copyMessage", False),
        (errors.Refused(), "copyMessage", False),
    ],
)
def test_only_what_may_speak_of_another_chat_is_asked_for(error: TelegramError, method: str, *, expected: bool) -> None:
    assert standing.asks(error, method) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status": "administrator"}, "content"),
        ({"status": "member"}, "content"),
        ({"status": "restricted", "is_member": True}, "content"),
        ({"status": "restricted", "is_member": False}, "gone"),
        ({"status": "left"}, "gone"),
        ({"status": "kicked"}, "gone"),
        (KICKED, "gone"),
        (NOT_FOUND, "gone"),
        (MOVED, "migrated"),
        (errors.Refused("400 member list is inaccessible"), "content"),  # of a chat that is there
        (errors.NotSent(), "not_sent"),
        (errors.Transient(), "not_sent"),
        (errors.Flood(3), "flood"),
        (errors.TokenRevoked(), "not_sent"),
    ],
)
@pytest.mark.parametrize("error", [KICKED, NOT_FOUND, MOVED])
def test_the_bots_own_place_in_the_group_decides(error: TelegramError, answer: Any, expected: str) -> None:
    assert standing.truth(error, "copyMessage", answer).outcome == expected
    alone = standing.truth(error, "sendMessage", answer).outcome
    assert alone == expected.replace("content", "refused")
