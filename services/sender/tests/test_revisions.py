"""Recalls and edits of what was sent, on a real database and a simulated Telegram."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from common.jobs import PlanBroadcast
from common.send_window import SendWindow
from common.store import broadcasts, in_hand, reaping, revision_items, revisions
from common.store.broadcasts import Targets
from common.store.revision_items import ItemOutcome
from common.store.revisions import Kind, Revision
from common.testing.polling import eventually

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids
from .test_in_doubt import Doubtful, insisting

pytestmark = pytest.mark.timeout(60)
NEW = {"method": "editMessageText", "params": {"text": "moved, {{title}}"}}


async def revise(fleet: Fleet, broadcast_id: int, kind: Kind, content: dict[str, Any] | None = None) -> int:
    """As the API does it."""
    priority = revisions.RECALL_PRIORITY if kind == "recall" else 5
    async with fleet.db.transaction() as tx:
        return await revisions.create(tx, broadcast_id, kind, priority=priority, content=content, created_by="key:test")


async def ended(fleet: Fleet, broadcast_id: int, revision_id: int, *, within: float = 30) -> Revision:
    async def look() -> Revision | None:
        async with fleet.db.transaction() as tx:
            found = {each.revision_id: each for each in await revisions.of(tx, broadcast_id)}
        return found[revision_id] if found[revision_id].finished_at else None

    return await eventually(look, within=within)


async def sent(fleet: Fleet, ids: list[int], text: str = "hello {{title}}", **options: Any) -> int:
    """A broadcast that is over."""
    broadcast_id = await fleet.broadcast(ids, text, **options)
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    return broadcast_id


async def over(fleet: Fleet, broadcast_id: int) -> bool:
    async with fleet.db.transaction() as tx:
        found = await broadcasts.get(tx, broadcast_id)
    return found is not None and found.state == "done"


async def texts(fleet: Fleet, group_ids: list[int]) -> list[list[str]]:
    """What stands in each group."""
    shown = []
    for group_id in group_ids:
        chat = await fleet.sim.admin("GET", f"chat?chat_id={fleet.groups[group_id]}")
        shown.append([m.get("text") or m.get("caption", "") for m in chat["messages"] if m["from"]["is_bot"]])
    return shown


async def calls(fleet: Fleet, method: str) -> list[dict[str, Any]]:
    effects: list[dict[str, Any]] = (await fleet.sim.admin("GET", f"effects?method={method}"))["effects"]
    return effects


async def test_a_recall_deletes_what_was_sent_and_nothing_else(fleet: Fleet, brain: Direct) -> None:
    first, second = await bot_ids(fleet)
    ids = await fleet.grow(15, first) + await fleet.grow(10, second)
    lost = fleet.groups[ids[3]]
    rule = {"method": "sendMessage", "chat_id": lost, "kind": "error", "error_code": 403}
    await fleet.sim.admin(
        "PUT", "faults", rules=[rule | {"description": "Forbidden: bot was kicked from the group chat"}]
    )
    other = await sent(fleet, ids[:5], "stays")
    broadcast_id = await sent(fleet, ids)
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    assert (revision.state, revision.total, revision.items) == ("done", 24, {"done": 24})
    deleted = Counter(call["chat_id"] for call in await calls(fleet, "deleteMessage"))
    assert deleted == {fleet.groups[g]: 1 for g in ids if fleet.groups[g] != lost}
    assert await texts(fleet, ids) == [["stays"]] * 3 + [[]] + [["stays"]] + [[]] * 20
    assert await over(fleet, other)


async def test_an_edit_reaches_what_was_sent_and_nothing_else(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(12, (await bot_ids(fleet))[0])
    await sent(fleet, ids[:2], "another one")
    broadcast_id = await sent(fleet, ids[1:])
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "edit", NEW))
    assert (revision.state, revision.items) == ("done", {"done": 11})
    assert await texts(fleet, ids[:2]) == [["another one"], ["another one", "moved, g1"]]
    assert await texts(fleet, ids[2:]) == [[f"moved, g{n}"] for n in range(2, 12)]
    assert len(await calls(fleet, "editMessageText")) == 11


async def test_the_strict_limits_draw_no_429_with_a_recall_and_a_running_broadcast(
    fleet: Fleet, brain: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the bold part of the pace, the belief in the smallest round trip, which a starved machine disproves."""
    monkeypatch.setattr(SendWindow, "floor", timedelta())
    ids = await fleet.grow(60, (await bot_ids(fleet))[0])
    await fleet.sim.admin("PUT", "limits", mode="strict")
    broadcast_id = await sent(fleet, ids)
    running = await fleet.broadcast(ids, "the next one")
    edited = await revise(fleet, broadcast_id, "edit", NEW)
    await ended(fleet, broadcast_id, edited)
    recalled = await revise(fleet, broadcast_id, "recall")
    revision = await ended(fleet, broadcast_id, recalled)
    await eventually(lambda: over(fleet, running), within=30)
    assert revision.items == {"done": 60}
    effects = (await fleet.sim.admin("GET", "effects?limit=1000"))["effects"]
    assert Counter(effect["status"] for effect in effects) == {"ok": 240}
    assert await texts(fleet, ids) == [["the next one"]] * 60


async def test_edits_and_deletions_share_the_bots_slots_with_sends(fleet: Fleet, brain: Direct) -> None:
    """Whatever Telegram counts for itself: at most 30 calls of any kind in any second, as exactly as one can see it."""
    ids = await fleet.grow(90, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    running = await fleet.broadcast(ids, "the next one")
    await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    await eventually(lambda: over(fleet, running), within=30)
    times = sorted(e["at"] for e in (await fleet.sim.admin("GET", "effects?limit=1000"))["effects"])
    assert len(times) == 270
    gaps = [later - earlier for earlier, later in zip(times, times[30:], strict=False)]
    assert min(gaps) > 0.95, sorted(gaps)[:20]


async def test_a_sender_that_dies_in_the_middle_loses_nothing(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(40, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    await fleet.sim.admin("PUT", "faults", rules=[], latency="400-800")
    revision_id = await revise(fleet, broadcast_id, "recall")
    await eventually(lambda: calls(fleet, "deleteMessage"), within=10)
    for task in list(brain.tasks):
        task.cancel()  # as a kill: nothing is written any more
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE workers SET beat_at = now() - interval '1 min'")
        await reaping.beat(tx, "another-sender")
    brain.handle = fleet.make("another-sender")
    revision = await ended(fleet, broadcast_id, revision_id)
    assert revision.items == {"done": 40}
    assert await texts(fleet, ids) == [[]] * 40
    deleted = Counter(call["chat_id"] for call in await calls(fleet, "deleteMessage") if call["status"] == "ok")
    assert set(deleted.values()) == {1}
    assert len(await calls(fleet, "deleteMessage")) > 40  # some were asked for again
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM bot_slots WHERE held_by IS NOT NULL") == 0
        assert await tx.fetchval("SELECT count(*) FROM group_turns WHERE held_by IS NOT NULL") == 0


async def test_what_telegram_did_not_confirm_is_asked_again(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(30, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    kinds = ["http_500", "http_502_html", "cut", "garbage", "reset", "timeout_after"]
    rules = [{"kind": kind, "probability": 0.15, "times": 5} for kind in kinds]
    await fleet.sim.admin("PUT", "faults", rules=rules)
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "edit", NEW), within=50)
    assert revision.items == {"done": 30}
    assert await texts(fleet, ids) == [[f"moved, g{n}"] for n in range(30)]


async def test_a_send_in_flight_at_the_pause_is_recalled_too(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(60, (await bot_ids(fleet))[0])
    await fleet.sim.admin("PUT", "faults", rules=[], latency="800-1400")
    broadcast_id = await fleet.broadcast(ids)
    await eventually(fleet.sent, within=10)
    async with fleet.db.transaction() as tx:
        assert await broadcasts.cancel(tx, broadcast_id)
        under_way = await tx.fetchval("SELECT count(*) FROM deliveries WHERE state = 'sending'")
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    states = Counter((await fleet.ledger(broadcast_id)).values())
    assert under_way > 0
    assert revision.items == {"done": states["sent"]}
    assert await texts(fleet, ids) == [[]] * 60
    assert states["cancelled"] > 0


async def test_a_later_revision_takes_the_place_of_the_one_that_runs(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(60, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    first = await revise(fleet, broadcast_id, "edit", {"method": "editMessageText", "params": {"text": "first"}})
    await eventually(lambda: calls(fleet, "editMessageText"), within=10)
    second = await revise(fleet, broadcast_id, "edit", {"method": "editMessageText", "params": {"text": "second"}})
    after = await ended(fleet, broadcast_id, second)
    before = await ended(fleet, broadcast_id, first)
    assert (before.state, after.state) == ("superseded", "done")
    assert set(before.items) == {"done", "cancelled"}
    assert await texts(fleet, ids) == [["second"]] * 60


async def test_a_content_that_telegram_refuses_stops_the_revision(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(40, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    caption = {"method": "editMessageCaption", "params": {"caption": "these are texts"}}
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "edit", caption))
    assert revision.state == "stopped"
    assert "there is no caption in the message" in (revision.reason or "")
    assert 0 < revision.items["failed"] <= 30  # what was in the air at the first one
    assert revision.items.keys() == {"failed", "cancelled"}


async def test_what_is_older_than_48_hours_is_reported_and_not_asked_for(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(4, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    async with fleet.db.transaction() as tx:
        await tx.execute(
            "UPDATE deliveries SET settled_at = now() - interval '48 h' WHERE group_id = ANY($1::bigint[])", ids[:2]
        )
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    assert revision.items == {"done": 2, "not_recallable": 2}
    assert len(await calls(fleet, "deleteMessage")) == 2
    async with fleet.db.transaction() as tx:
        rows = await revision_items.page(
            tx, broadcast_id, revision.revision_id, state="not_recallable", after_group=0, limit=9
        )
    assert rows is not None
    assert [(row.group_id, row.reason) for row in rows] == [(g, "older than 48 hours") for g in ids[:2]]


async def test_a_recall_that_waits_too_long_says_so(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(2, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE bots SET flood_until = now() + interval '1 h'")
        await tx.execute("UPDATE deliveries SET settled_at = now() - interval '48 h' + interval '4 s'")
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    assert revision.items == {"not_recallable": 2}
    assert await calls(fleet, "deleteMessage") == []


async def test_what_cannot_be_named_is_reported(fleet: Fleet, brain: Direct) -> None:
    """A send whose end nobody knows, and one that an operator has seen: neither has a message id."""
    ids = await fleet.grow(3, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'unknown', message_id = NULL WHERE group_id = $1", ids[0])
        await tx.execute("UPDATE deliveries SET message_id = NULL WHERE group_id = $1", ids[1])
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    assert revision.items == {"done": 1, "failed": 2}
    async with fleet.db.transaction() as tx:
        rows = await revision_items.page(tx, broadcast_id, revision.revision_id, state="failed", after_group=0, limit=9)
    assert rows is not None
    assert [row.reason for row in rows] == ["nobody knows whether it was sent", "its message id is not known"]


async def test_in_a_group_that_became_a_supergroup_nothing_is_touched(fleet: Fleet, brain: Direct) -> None:
    """The number may be another message's there, whether Muster knows of the move already or learns it now."""
    bot = (await bot_ids(fleet))[0]
    known, fresh, plain = ids = await fleet.grow(3, bot)
    for group_id in (known, fresh):
        await make_basic(fleet, group_id, bot)
    broadcast_id = await sent(fleet, ids)
    moved = await fleet.sim.admin("POST", f"chats/{fleet.groups[known]}/migrate")
    await fleet.sim.admin("POST", f"chats/{fleet.groups[fresh]}/migrate")
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE groups SET chat_id = $2, migrated_at = now() WHERE group_id = $1", known, moved["id"])
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    assert revision.items == {"done": 1, "failed": 2}
    asked = [call["chat_id"] for call in await calls(fleet, "deleteMessage") if call["status"] == "ok"]
    assert asked == [fleet.groups[plain]]
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM groups WHERE migrated_at IS NOT NULL") == 2


async def make_basic(fleet: Fleet, group_id: int, bot: int) -> None:
    """A group that can become a supergroup, in the place of one that is."""
    chat = await fleet.sim.admin(
        "POST", "chats", type="group", title="basic", bots=[{"id": bot, "status": "administrator"}]
    )
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE groups SET chat_id = $2, kind = 'group' WHERE group_id = $1", group_id, chat["id"])
    fleet.groups[group_id] = chat["id"]


async def test_an_album_is_deleted_as_a_whole_and_its_caption_is_the_first_ones(fleet: Fleet, brain: Direct) -> None:
    [group_id] = ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    media = [{"type": "photo", "media": f"https://pictures.eu/{n}.jpg", "caption": f"c{n}"} for n in range(3)]
    content = {"method": "sendMediaGroup", "params": {"media": media}}
    async with fleet.db.transaction() as tx:
        broadcast_id = await broadcasts.create(tx, Targets(group_ids=ids), content)
    await fleet.handle(PlanBroadcast(broadcast_id=broadcast_id))
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    edit = {"method": "editMessageCaption", "params": {"caption": "other"}}
    await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "edit", edit))
    assert await texts(fleet, [group_id]) == [["other", "c1", "c2"]]
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    assert revision.items == {"done": 1}
    assert await texts(fleet, [group_id]) == [[]]


async def test_after_an_edit_what_is_sent_later_says_the_new_text(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(80, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast(ids)
    await eventually(fleet.sent, within=10)
    async with fleet.db.transaction() as tx:
        assert await broadcasts.pause(tx, broadcast_id, "paused by an operator")
    revision_id = await revise(fleet, broadcast_id, "edit", NEW)
    async with fleet.db.transaction() as tx:
        await revisions.change_content(
            tx, broadcast_id, {"method": "sendMessage", "params": {"text": "moved, {{title}}"}}
        )
        assert await broadcasts.resume(tx, broadcast_id)  # before the edit is even planned
    await ended(fleet, broadcast_id, revision_id)
    await eventually(lambda: over(fleet, broadcast_id), within=20)
    assert await texts(fleet, ids) == [[f"moved, g{n}"] for n in range(80)]
    old = [call for call in await calls(fleet, "sendMessage") if call["params"]["text"].startswith("hello")]
    assert 0 < len(old) < 80


async def test_what_is_gone_or_says_so_already_is_done(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(4, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    for kind, content in (("edit", NEW), ("edit", NEW), ("recall", None), ("recall", None)):
        revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, kind, content))  # type: ignore[arg-type]
        assert revision.items == {"done": 4}
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "edit", NEW))
    assert revision.items == {"failed": 4}
    assert await texts(fleet, ids) == [[]] * 4


async def test_an_edit_goes_on_though_one_group_has_no_value_for_it(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(4, (await bot_ids(fleet))[0])
    async with fleet.db.transaction() as tx:
        await tx.execute('UPDATE groups SET variables = \'{"x": "fine"}\' WHERE group_id <> $1', ids[0])
    broadcast_id = await sent(fleet, ids)
    edit = {"method": "editMessageText", "params": {"text": "{{x}}"}}
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "edit", edit))
    assert (revision.state, revision.items) == ("done", {"failed": 1, "done": 3})
    assert await texts(fleet, ids) == [["hello g0"], *[["fine"]] * 3]


async def test_a_job_that_comes_twice_asks_once(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(10, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    handle = fleet.handle

    async def twice(job: Any) -> None:
        await asyncio.gather(handle(job), handle(job))

    brain.handle = twice
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    assert revision.items == {"done": 10}
    assert len(await calls(fleet, "deleteMessage")) == 10


@pytest.mark.parametrize("name", ["intents", "outcomes", "content", "slots back", "withdraw"])
async def test_what_was_committed_in_doubt_is_revised_all_the_same(fleet: Fleet, brain: Direct, name: str) -> None:
    """An intent that nobody knows of would stay at Telegram for ever, for its owner lives."""
    ids = await fleet.grow(15, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    pool: Any = fleet.db.pool
    pool.__class__, pool.lose = Doubtful, Counter({name: 2, "intents": 2})
    brain.handle = lambda job: insisting(fleet.handle, job)
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "edit", NEW))
    assert revision.items == {"done": 15}
    assert sorted(await texts(fleet, ids)) == sorted([f"moved, g{number}"] for number in range(15))


async def test_a_late_answer_changes_nothing_of_the_next_attempt(fleet: Fleet, brain: Direct) -> None:
    """The sender was taken for dead; the item has another slot and is at Telegram again."""
    ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, ids)
    await fleet.sim.admin("PUT", "faults", rules=[], latency="60000-60000")
    await revise(fleet, broadcast_id, "recall")

    async def sending() -> bool:
        async with fleet.db.transaction() as tx:
            return bool(await tx.fetchval("SELECT count(*) FROM revision_items WHERE state = 'sending'"))

    await eventually(sending, within=10)
    for task in list(brain.tasks):
        task.cancel()
    async with fleet.db.transaction() as tx:
        item = await tx.fetchrow("SELECT item_id, slot_at FROM revision_items")
        assert item is not None
        await tx.execute("UPDATE revision_items SET slot_at = slot_at + interval '1 s'")
        late = ItemOutcome(item["item_id"], item["slot_at"], "failed", "late")
        assert await revision_items.settle(tx, [late]) == set()
        assert await tx.fetchval("SELECT state FROM revision_items") == "sending"
        # A copy of the first job comes late too: it frees nothing that the second one holds.
        assert await in_hand.drop(tx, "revision_items", [(item["item_id"], item["slot_at"])]) == set()
