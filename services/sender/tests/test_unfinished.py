"""Long texts that stopped between two parts: what a recall, an edit or an operator's word makes of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from common.store import broadcasts, deliveries, reaping, revisions, steering
from common.testing.polling import eventually

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids
from .test_long_texts import LONG, MARKED
from .test_revisions import calls, ended, make_basic, over, revise, texts

pytestmark = pytest.mark.timeout(60)


async def begun(fleet: Fleet, group_id: int, done: int, content: dict[str, Any] = MARKED) -> int:
    """A broadcast of one long text, paused when so many of its parts are sent."""
    broadcast_id = await fleet.broadcast([group_id], content=content)

    async def there() -> bool:
        return bool((await fleet.rows(broadcast_id))[0]["parts_done"] >= done)

    await eventually(there, within=15)
    async with fleet.db.transaction() as tx:
        await broadcasts.pause(tx, broadcast_id, "paused by an operator")

    async def still() -> bool:
        return (await fleet.rows(broadcast_id))[0]["state"] not in {"slotted", "sending"}

    await eventually(still, within=10)
    return broadcast_id


async def cut(fleet: Fleet, group_id: int) -> int:
    """One whose first part is sent, and whose second has an end that nobody knows."""
    broadcast_id = await begun(fleet, group_id, 1)
    await fleet.sim.admin("PUT", "faults", rules=[{"method": "sendMessage", "kind": "cut", "times": 1}])
    await resume(fleet, broadcast_id)
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    [row] = await fleet.rows(broadcast_id)
    assert (row["state"], row["parts_done"]) == ("unknown", 1)
    return broadcast_id


async def resume(fleet: Fleet, broadcast_id: int) -> None:
    async with fleet.db.transaction() as tx:
        await broadcasts.resume(tx, broadcast_id)


async def recall(fleet: Fleet, broadcast_id: int) -> dict[str, int]:
    """As the API does it; what became of its items."""
    async with fleet.db.transaction() as tx:
        await broadcasts.cancel(tx, broadcast_id)
    return (await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))).items


async def test_a_recall_asks_for_no_number_of_another_chat(fleet: Fleet, brain: Direct) -> None:
    """The group becomes a supergroup between two parts: the first one's number is somebody else's message there."""
    bot = (await bot_ids(fleet))[0]
    [group_id] = await fleet.grow(1, bot)
    await make_basic(fleet, group_id, bot)
    user = (await fleet.sim.admin("POST", "users"))["users"][0]["id"]
    await fleet.sim.admin("POST", f"chats/{fleet.groups[group_id]}/join", user_id=user)
    for number in range(3):
        await fleet.sim.admin("POST", "messages", chat_id=fleet.groups[group_id], user_id=user, text=f"old {number}")
    broadcast_id = await begun(fleet, group_id, 1)
    moved = await fleet.sim.admin("POST", f"chats/{fleet.groups[group_id]}/migrate")
    for number in range(12):
        await fleet.sim.admin("POST", "messages", chat_id=moved["id"], user_id=user, text=f"somebody's {number}")
    await resume(fleet, broadcast_id)
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    [row] = await fleet.rows(broadcast_id)
    own = [e["message_id"] for e in await fleet.effects("sendMessage") if e["chat_id"] == moved["id"]]
    assert (row["state"], row["sent_chat_id"], row["message_ids"]) == ("sent", moved["id"], own)
    assert row["message_id"] == own[0]
    assert await recall(fleet, broadcast_id) == {"failed": 1}, "a part stands in the chat that is no more"
    [deletion] = await calls(fleet, "deleteMessages")
    assert (deletion["chat_id"], deletion["params"]["message_ids"]) == (moved["id"], own)
    chat = await fleet.sim.admin("GET", f"chat?chat_id={moved['id']}")
    assert len([m for m in chat["messages"] if m.get("text", "").startswith("somebody's")]) == 12


async def test_what_is_settled_anew_after_a_move_keeps_its_own_chat(fleet: Fleet, brain: Direct) -> None:
    """`settled_at` says when a delivery ended, not where its parts are: one failed behind its first part, was retried
    after the move, and failed again.
    """
    bot = (await bot_ids(fleet))[0]
    [group_id] = await fleet.grow(1, bot)
    await make_basic(fleet, group_id, bot)
    broadcast_id = await begun(fleet, group_id, 1)
    moved = await fleet.sim.admin("POST", f"chats/{fleet.groups[group_id]}/migrate")
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE groups SET chat_id = $1, migrated_at = now() - interval '1 s'", moved["id"])
        await tx.execute("UPDATE deliveries SET state = 'failed', settled_at = now()")
    assert await recall(fleet, broadcast_id) == {"failed": 1}
    assert await calls(fleet, "deleteMessage") == []


async def test_what_was_sent_before_the_upgrade_is_not_touched_in_another_chat(fleet: Fleet, brain: Direct) -> None:
    """Such a row says no chat: it is its group's unless that moved since the broadcast was made."""
    ids = await fleet.grow(3, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET sent_chat_id = NULL, settled_at = now() + interval '1 h'")
        await tx.execute("UPDATE groups SET migrated_at = now() WHERE group_id = $1", ids[0])
        await tx.execute("UPDATE groups SET migrated_at = now() - interval '1 day' WHERE group_id = $1", ids[1])
    assert await recall(fleet, broadcast_id) == {"failed": 1, "done": 2}
    assert await texts(fleet, ids) == [["hello g0"], [], []]


@pytest.mark.parametrize("done", [1, 2])
async def test_a_recall_takes_back_what_was_sent_of_a_paused_text(fleet: Fleet, brain: Direct, done: int) -> None:
    [group_id] = ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await begun(fleet, group_id, done)
    assert await recall(fleet, broadcast_id) == {"done": 1}
    assert [row["state"] for row in await fleet.rows(broadcast_id)] == ["cancelled"]
    assert await texts(fleet, ids) == [[]]


async def test_a_recall_takes_back_the_parts_before_one_that_failed(fleet: Fleet, brain: Direct) -> None:
    [group_id] = ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await begun(fleet, group_id, 1)
    rule = {"method": "sendMessage", "kind": "error", "error_code": 400, "description": "Bad Request: strange"}
    await fleet.sim.admin("PUT", "faults", rules=[rule])
    await resume(fleet, broadcast_id)
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    assert [row["state"] for row in await fleet.rows(broadcast_id)] == ["failed"]
    assert await recall(fleet, broadcast_id) == {"done": 1}
    assert await texts(fleet, ids) == [[]]


async def test_a_recall_takes_back_the_known_parts_of_one_in_doubt_and_says_so(fleet: Fleet, brain: Direct) -> None:
    [group_id] = ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await cut(fleet, group_id)
    before = (await texts(fleet, ids))[0]
    assert await recall(fleet, broadcast_id) == {"failed": 1}
    assert (await texts(fleet, ids))[0] == before[1:]


async def died(fleet: Fleet, group_id: int, content: dict[str, Any]) -> int:
    """One whose sender was killed in its first part: how many there are is written nowhere."""
    turn = "INSERT INTO group_turns (group_id, next_at) VALUES ($1, now() + interval '1 h')"
    async with fleet.db.transaction() as tx:
        await tx.execute(turn, group_id)  # nobody else begins it
    broadcast_id = await fleet.broadcast([group_id], content=content)
    async with fleet.db.transaction() as tx:
        row = await tx.fetchrow("UPDATE deliveries SET state = 'slotted', slot_at = now() RETURNING *")
        assert row is not None
        await deliveries.begin(tx, [(row["delivery_id"], row["slot_at"], row["bot_id"])], "dead")
        assert await reaping.orphans(tx, timedelta(seconds=8)) == 1
        await tx.execute("UPDATE group_turns SET next_at = now()")
    return broadcast_id


async def seen(fleet: Fleet, broadcast_id: int) -> tuple[str, int, int]:
    """What is left after `resolve_unknown: sent`."""
    async with fleet.db.transaction() as tx:
        assert await steering.mark_sent(tx, broadcast_id) == 1
    await eventually(lambda: fleet.ended(broadcast_id), within=20)
    [row] = await fleet.rows(broadcast_id)
    return row["state"], row["parts_done"], row["parts"]


async def test_what_was_recalled_does_not_go_on_when_its_part_was_seen(fleet: Fleet, brain: Direct) -> None:
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await cut(fleet, group_id)
    await recall(fleet, broadcast_id)
    sends = len(await fleet.effects("sendMessage"))
    assert await seen(fleet, broadcast_id) == ("sent", 2, 4)
    assert await over(fleet, broadcast_id)
    assert len(await fleet.effects("sendMessage")) == sends


async def test_a_first_part_that_was_seen_is_followed_by_the_rest(fleet: Fleet) -> None:
    """Though nobody has written that there are more: its sender was killed before it could."""
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await died(fleet, group_id, MARKED)
    async with fleet.db.transaction() as tx:
        assert await steering.mark_sent(tx, broadcast_id) == 1
    assert [(r["state"], r["parts_done"]) for r in await fleet.rows(broadcast_id)] == [("pending", 1)]


async def test_a_first_part_whose_text_was_changed_since_is_followed_by_nothing(fleet: Fleet) -> None:
    """Nobody has the text any more that it began."""
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await died(fleet, group_id, MARKED)
    async with fleet.db.transaction() as tx:
        await revisions.change_content(tx, broadcast_id, {"method": "sendMessage", "params": {"text": LONG}})
        assert await steering.mark_sent(tx, broadcast_id) == 1
    assert [(r["state"], r["parts_done"]) for r in await fleet.rows(broadcast_id)] == [("sent", 1)]


@pytest.mark.parametrize("text", ["hello {{title}}", "x" * 4096, "hello"])
async def test_a_short_text_that_was_seen_is_sent(fleet: Fleet, brain: Direct, text: str) -> None:
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    await fleet.sim.admin("PUT", "faults", rules=[{"method": "sendMessage", "kind": "error", "error_code": 400}])
    broadcast_id = await died(fleet, group_id, {"method": "sendMessage", "params": {"text": text}})
    assert await seen(fleet, broadcast_id) == ("sent", 1, 1)
    assert await calls(fleet, "sendMessage") == []


async def edit(fleet: Fleet, broadcast_id: int, text: str, **params: Any) -> dict[str, int]:
    """As the API does it; what became of its items."""
    changed = {"text": text, **params}
    content = {"method": "editMessageText", "params": changed}
    revision_id = await revise(fleet, broadcast_id, "edit", content)
    async with fleet.db.transaction() as tx:
        await revisions.change_content(tx, broadcast_id, {"method": "sendMessage", "params": changed})
    return (await ended(fleet, broadcast_id, revision_id)).items


@pytest.mark.parametrize("text", ["stay at home", f"stay at home {LONG}"])
async def test_what_began_with_another_text_is_not_called_sent(fleet: Fleet, brain: Direct, text: str) -> None:
    [group_id] = ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await begun(fleet, group_id, 1)
    before = await texts(fleet, ids)
    assert await edit(fleet, broadcast_id, text) == {"failed": 1}
    await resume(fleet, broadcast_id)
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    [row] = await fleet.rows(broadcast_id)
    assert (row["state"], row["reason"]) == ("failed", "its text was changed after the first part was sent")
    assert (row["parts_done"], row["parts"]) == (1, 4)
    assert await texts(fleet, ids) == before


async def test_other_buttons_stop_no_text_in_its_middle(fleet: Fleet, brain: Direct) -> None:
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await begun(fleet, group_id, 1)
    keyboard = {"reply_markup": {"inline_keyboard": [[{"text": "x", "url": "https://a.b/"}]]}}
    edit = await revise(fleet, broadcast_id, "edit", {"method": "editMessageReplyMarkup", "params": keyboard})
    async with fleet.db.transaction() as tx:
        await revisions.change_content(
            tx, broadcast_id, {"method": "sendMessage", "params": MARKED["params"] | keyboard}
        )
    assert (await ended(fleet, broadcast_id, edit)).items == {}, "none has its last message yet"
    await resume(fleet, broadcast_id)
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    assert [row["state"] for row in await fleet.rows(broadcast_id)] == ["sent"]
    assert ["reply_markup" in m for m in await fleet.shown(group_id, "text")] == [False, False, False, True]


async def test_buttons_are_edited_where_they_are(fleet: Fleet, brain: Direct) -> None:
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    keyboard = {"reply_markup": {"inline_keyboard": [[{"text": "x", "url": "https://a.b/"}]]}}
    content = {"method": "sendMessage", "params": MARKED["params"] | keyboard}
    broadcast_id = await fleet.broadcast([group_id], content=content)
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    edit = await revise(fleet, broadcast_id, "edit", {"method": "editMessageReplyMarkup", "params": {}})
    assert (await ended(fleet, broadcast_id, edit)).items == {"done": 1}
    assert not any("reply_markup" in message for message in await fleet.shown(group_id, "text"))
