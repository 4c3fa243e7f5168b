"""Texts of several messages, on a real database and a simulated Telegram: in order, once, whatever happens between."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from common.store import broadcasts, steering
from common.testing.polling import eventually

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids

pytestmark = pytest.mark.timeout(60)
# Four messages: two paragraphs are too long for one.
LONG = "\n\n".join(f"{number}: " + "word " * 500 for number in range(4))
MARKED = {"method": "sendMessage", "params": {"text": f"<b>{{{{title}}}}</b>\n\n<i>{LONG}</i>", "parse_mode": "HTML"}}


async def texts(fleet: Fleet, chat: int) -> list[str]:
    return [e["params"]["text"] for e in await fleet.effects("sendMessage") if e["chat_id"] == chat]


def words(pieces: list[str]) -> list[str]:
    return " ".join(pieces).split()


async def test_every_group_gets_all_parts_in_order_and_the_ledger_knows_each(fleet: Fleet, brain: Direct) -> None:
    await fleet.sim.admin("PUT", "limits", mode="strict")
    ids = await fleet.grow(12, (await bot_ids(fleet))[0])
    keyboard = {"inline_keyboard": [[{"text": "x", "url": "https://a.b/"}]]}
    content = {"method": "sendMessage", "params": MARKED["params"] | {"reply_markup": keyboard}}
    broadcast_id = await fleet.broadcast(ids, content=content)
    await eventually(lambda: fleet.ended(broadcast_id), within=30)
    everything = (await fleet.sim.admin("GET", "effects?method=sendMessage"))["effects"]
    assert not [effect for effect in everything if effect["status"] != "ok"], "each part had a slot of bot and chat"
    for row, group_id in zip(await fleet.rows(broadcast_id), ids, strict=True):
        chat = fleet.groups[group_id]
        own = [effect for effect in everything if effect["chat_id"] == chat]
        assert words([e["params"]["text"] for e in own]) == words([f"g{ids.index(group_id)}", LONG])
        assert (row["state"], row["parts"], row["parts_done"], len(own)) == ("sent", 4, 4, 4)
        assert row["message_ids"] == [effect["message_id"] for effect in own]
        assert row["message_id"] == row["message_ids"][0]
        assert ["reply_markup" in e["params"] for e in own] == [False, False, False, True]
        shown = await fleet.shown(group_id, "text")
        assert all(any(e["type"] == "italic" for e in message["entities"]) for message in shown)


async def test_a_group_that_has_begun_goes_before_those_that_have_not(fleet: Fleet, brain: Direct) -> None:
    ids = await fleet.grow(120, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast(ids, content=MARKED)

    async def some_sent() -> bool:
        return "sent" in (await fleet.ledger(broadcast_id)).values()

    await eventually(some_sent, within=20)
    assert "pending" in {r["state"] for r in await fleet.rows(broadcast_id) if r["parts_done"] == 0}


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_part_is_sent_twice_whatever_telegram_answers(fleet: Fleet, brain: Direct, seed: int) -> None:
    ids = await fleet.grow(15, (await bot_ids(fleet))[0])
    kinds = ["http_500", "http_429", "timeout_after", "cut", "unknown_fields", "sent_deleted"]
    rules = [{"method": "sendMessage", "kind": kind, "probability": 0.06} for kind in kinds[:: 1 if seed % 2 else -1]]
    await fleet.sim.admin("PUT", "faults", rules=rules)
    broadcast_id = await fleet.broadcast(ids, content=MARKED)
    await eventually(lambda: fleet.ended(broadcast_id), within=50)
    for row in await fleet.rows(broadcast_id):
        seen = await texts(fleet, fleet.groups[row["group_id"]])
        assert max(Counter(seen).values(), default=0) <= 1
        assert row["state"] in {"sent", "unknown"}
        assert len(seen) - row["parts_done"] in ({0} if row["state"] == "sent" else {0, 1})


async def test_after_a_kill_between_two_parts_only_the_rest_is_sent(fleet: Fleet, brain: Direct) -> None:
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast([group_id], content=MARKED)

    async def done(n: int) -> bool:
        return (await fleet.rows(broadcast_id))[0]["parts_done"] == n

    await eventually(lambda: done(1), within=10)
    await fleet.sim.admin("PUT", "faults", rules=[], latency="60000-60000")

    async def sending() -> bool:
        return (await fleet.rows(broadcast_id))[0]["state"] == "sending"

    await eventually(sending, within=10)
    for task in list(brain.tasks):
        task.cancel()
    await asyncio.gather(*brain.tasks, return_exceptions=True)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE groups SET title = 'another name', variables = '{\"x\": \"y\"}'")
        await tx.execute("UPDATE workers SET beat_at = now() - interval '1 min'")
    await fleet.sim.admin("PUT", "faults", rules=[], latency="0-0")
    await eventually(lambda: fleet.ended(broadcast_id), within=15)
    [row] = await fleet.rows(broadcast_id)
    assert (row["state"], row["parts_done"], row["parts"]) == ("unknown", 1, 4)
    first = await texts(fleet, fleet.groups[group_id])
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE workers SET beat_at = now() + interval '1 min'")
        assert await steering.again(tx, broadcast_id, "unknown") == 1
    await eventually(lambda: fleet.ended(broadcast_id), within=15)
    seen = await texts(fleet, fleet.groups[group_id])
    assert seen[:1] == first[:1]
    assert words(seen) == words(["g0", LONG]), "cut as it was at first, and the first part only once"


async def test_a_part_that_was_seen_is_followed_by_the_rest(fleet: Fleet, brain: Direct) -> None:
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    await fleet.sim.admin("PUT", "faults", rules=[{"method": "sendMessage", "kind": "cut", "times": 1}])
    broadcast_id = await fleet.broadcast([group_id], content=MARKED)
    await eventually(lambda: fleet.ended(broadcast_id), within=15)
    assert [r["state"] for r in await fleet.rows(broadcast_id)] == ["unknown"]

    async def closed() -> bool:
        async with fleet.db.transaction() as tx:
            found = await broadcasts.get(tx, broadcast_id)
        return found is not None and found.state == "done"

    await eventually(closed, within=10)
    async with fleet.db.transaction() as tx:
        assert await steering.mark_sent(tx, broadcast_id) == 1
    await eventually(lambda: fleet.ended(broadcast_id), within=15)
    [row] = await fleet.rows(broadcast_id)
    assert (row["state"], row["parts_done"], len(row["message_ids"])) == ("sent", 4, 3)
    assert words(await texts(fleet, fleet.groups[group_id])) == words(["g0", LONG])


async def test_what_can_not_be_sent_to_one_group_stops_nobody_else(fleet: Fleet, brain: Direct) -> None:
    first, second = await fleet.grow(2, (await bot_ids(fleet))[0])
    async with fleet.db.transaction() as tx:
        values: dict[str, Any] = {"x": "word " * 20_000}
        await tx.execute("UPDATE groups SET variables = $2 WHERE group_id = $1", first, values)
    broadcast_id = await fleet.broadcast([first, second], text="hello {{x}}")
    await eventually(lambda: fleet.ended(broadcast_id), within=15)
    rows = await fleet.rows(broadcast_id)
    assert [row["state"] for row in rows] == ["failed", "sent"]
    assert rows[0]["reason"] == "longer than 20 messages with this group's variables"


async def test_neither_time_to_live_nor_window_ends_a_message_in_its_middle(fleet: Fleet, brain: Direct) -> None:
    first, second = await fleet.grow(2, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast([first], content=MARKED)
    late = await fleet.broadcast([second])
    await eventually(lambda: _begun(fleet, broadcast_id), within=10)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE broadcasts SET expires_at = now() WHERE broadcast_id = $1", broadcast_id)
        await tx.execute(
            "UPDATE groups SET window_from = (now() AT TIME ZONE 'UTC')::time + interval '2 h',"
            " window_to = (now() AT TIME ZONE 'UTC')::time + interval '3 h'"
        )
    await eventually(lambda: fleet.ended(broadcast_id), within=15)
    assert [(r["state"], r["parts_done"]) for r in await fleet.rows(broadcast_id)] == [("sent", 4)]
    assert [row["state"] for row in await fleet.rows(late)] == ["sent"], "it came first"


async def _begun(fleet: Fleet, broadcast_id: int) -> bool:
    return (await fleet.rows(broadcast_id))[0]["parts_done"] >= 1


async def test_a_cancel_between_two_parts_keeps_what_was_sent_on_record(fleet: Fleet, brain: Direct) -> None:
    [group_id] = await fleet.grow(1, (await bot_ids(fleet))[0])
    broadcast_id = await fleet.broadcast([group_id], content=MARKED)
    await eventually(lambda: _begun(fleet, broadcast_id), within=10)
    async with fleet.db.transaction() as tx:
        await broadcasts.cancel(tx, broadcast_id)
    await eventually(lambda: fleet.ended(broadcast_id), within=10)
    [row] = await fleet.rows(broadcast_id)
    seen = [e["message_id"] for e in await fleet.effects("sendMessage")]
    assert (row["state"], row["message_ids"]) == ("cancelled", seen)
    assert len(seen) == row["parts_done"] < 4
