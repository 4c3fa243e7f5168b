"""Groups by API: registered, found, changed, and never another bot's."""

from __future__ import annotations

from typing import Any

import pytest
from common.clock import utc_now
from common.store import broadcasts, deliveries
from common.store.broadcasts import Targets

from .api import FIRST, SECOND, Api


async def test_a_chat_is_registered_once(api: Api) -> None:
    await api.grow(FIRST, 0)
    body = {"bot_id": FIRST, "chat_id": -1001, "title": "Berlin", "tags": ["b", "a", "b"], "timezone": "Europe/Berlin"}
    made = await api.ask("POST", "/api/groups", json=body)
    assert made.status_code == 201, made.text
    shown = (await api.ask("GET", f"/api/groups/{made.json()['group_id']}")).json()
    assert shown == made.json()
    assert (shown["tags"], shown["timezone"], shown["window"], shown["phase"]) == (
        ["a", "b"], "Europe/Berlin", None, "discovered",
    )  # fmt: skip
    again = await api.ask("POST", "/api/groups", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "group_exists")


async def test_only_what_is_given_is_changed(api: Api) -> None:
    [group_id] = await api.grow(FIRST, 1, tags=["old"])
    path = f"/api/groups/{group_id}"
    change = {"window": {"from": "22:00", "to": "06:30"}, "variables": {"city": "Köln", "n": 3, "sale": True}}
    changed = (await api.ask("PATCH", path, json=change)).json()
    assert (changed["window"], changed["variables"], changed["tags"]) == (
        change["window"],
        change["variables"],
        ["old"],
    )
    cleared = (await api.ask("PATCH", path, json={"window": None, "final_message_allowed": False})).json()
    assert (cleared["window"], cleared["final_message_allowed"], cleared["variables"]) == (
        None, False, change["variables"],
    )  # fmt: skip
    audit = (await api.ask("GET", "/api/audit?limit=1")).json()["items"][0]
    assert audit["before"]["final_message_allowed"] != audit["after"]["final_message_allowed"]


async def test_a_group_that_was_taken_out_is_let_in_again(api: Api) -> None:
    [group_id] = await api.grow(FIRST, 1)
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE groups SET out_reason = 'no_rights', failures = 3")
    assert (await api.send()).status_code == 422
    kept = (await api.ask("PATCH", f"/api/groups/{group_id}", json={"tags": ["x"]})).json()
    assert (kept["out_reason"], kept["failures"]) == ("no_rights", 3)
    back = (await api.ask("PATCH", f"/api/groups/{group_id}", json={"out_reason": None})).json()
    assert (back["out_reason"], back["failures"]) == (None, 0)
    assert (await api.send()).json()["accepted"] == 1


async def test_a_change_of_nothing_leaves_no_trace(api: Api) -> None:
    [group] = await api.grow(FIRST, 1)
    path, window = f"/api/groups/{group}", {"from": "09:00", "to": "21:00"}
    body = {"tags": ["b", "a"], "window": window, "variables": {"n": 1, "a": "x"}}
    first, again = [await api.ask("PATCH", path, json=body) for _ in range(2)]
    empty = await api.ask("PATCH", path, json={"out_reason": None})
    assert (first.status_code, again.json(), empty.json()) == (200, first.json(), first.json())
    assert [row["action"] for row in await api.rows("audit")].count("group.change") == 1
    true = await api.ask("PATCH", path, json={"variables": {"n": True, "a": "x"}})
    assert true.json()["variables"]["n"] is True, "which is not 1, whatever Python says"


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"timezone": "Europe/Nowhere"}, "timezone"),
        ({"timezone": "europe/berlin; --"}, "timezone"),
        ({"timezone": "UTC+3"}, "timezone"),
        ({"tags": ["a,b"]}, "tags.0"),
        ({"tags": ["\u0000"]}, "tags.0"),
        ({"tags": ["x" * 65]}, "tags.0"),
        ({"variables": {"Big": "x"}}, "variables.Big"),
        ({"variables": {"title": "x"}}, "variables.title"),
        ({"variables": {"a": {"b": 1}}}, "variables.a"),
        ({"variables": {"a": "nul\u0000"}}, "variables.a"),
        ({"window": {"from": "09:00"}}, "window.to"),
        ({"window": {"from": "09:00", "to": "09:00"}}, "window"),
        ({"window": {"from": "09:00+02:00", "to": "10:00"}}, "window"),
        ({"out_reason": "mine"}, "out_reason"),
        ({"phase": "lost"}, "phase"),
        ({"tags": None}, "tags"),
        ({"final_message_allowed": None}, "final_message_allowed"),
        ({"bot_id": 5}, "bot_id"),
    ],
)
async def test_what_is_not_valid_is_refused_with_its_place_and_without_the_input(
    api: Api, change: dict[str, Any], at: str
) -> None:
    [group_id] = await api.grow(FIRST, 1)
    answer = await api.ask("PATCH", f"/api/groups/{group_id}", json=change)
    assert answer.status_code == 422, answer.text
    assert at in [place["at"] for place in answer.json()["errors"]]
    assert "Nowhere" not in answer.text
    assert "mine" not in answer.text


async def test_lists_by_bot_tag_phase_and_whether_they_can_be_sent_to(api: Api) -> None:
    a, b = await api.grow(FIRST, 1, tags=["x", "y"]), await api.grow(SECOND, 1, tags=["y"])
    await api.ask("PATCH", f"/api/groups/{b[0]}", json={"final_message_allowed": False})

    async def found(**query: Any) -> list[int]:
        page = (await api.ask("GET", "/api/groups", params=query)).json()
        return [item["group_id"] for item in page["items"]]

    assert await found() == a + b
    assert await found(bot_id=FIRST) == await found(tag="x") == await found(sendable=True) == a
    assert await found(sendable=False) == b
    assert await found(tag="y", phase="discovered") == a + b
    assert await found(phase="lost") == await found(health="blind") == []
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE groups SET health = 'blind', missing_rights = '{x}' WHERE group_id = $1", b[0])
    assert await found(health="blind") == b
    chat_id = (await api.ask("GET", f"/api/groups/{a[0]}")).json()["chat_id"]
    assert await found(chat_id=chat_id) == a
    assert (await api.ask("GET", f"/api/groups/{b[0]}")).json()["missing_rights"] == ["x"]
    for wrong in ({"health": "fine"}, {"chat_id": 5}, {"phase": "x"}, {"bot_id": 0}, {"sendable": "maybe"}):
        assert (await api.ask("GET", "/api/groups", params=wrong)).status_code == 422, wrong


async def test_pages_hold_every_group_once_while_more_are_made(api: Api) -> None:
    made = await api.grow(FIRST, 5)
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.ask("GET", "/api/groups", params={"limit": 2, **cursor})).json()
        seen += [item["group_id"] for item in page["items"]]
        made += await api.grow(FIRST, 1) if len(seen) == 2 else []
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == made


async def test_the_same_registration_again_is_answered_as_before(api: Api) -> None:
    await api.grow(FIRST, 0)
    body, key = {"bot_id": FIRST, "chat_id": -1001}, {"Idempotency-Key": "k"}
    first, again = [await api.ask("POST", "/api/groups", json=body, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code, first.content) == (201, 201, again.content)
    assert len(await api.rows("groups")) == 1


async def test_a_limited_key_has_neither_others_groups_nor_their_bots(api: Api) -> None:
    mine, theirs = await api.grow(FIRST, 1), await api.grow(SECOND, 1)
    key = await api.make_key("*", bot_ids=[FIRST])
    for path in ("/api/groups", f"/api/groups?bot_id={SECOND}", "/api/bots"):
        items = (await api.ask("GET", path, key=key)).json()["items"]
        assert all(item["bot_id"] == FIRST for item in items), path
    assert (await api.ask("GET", f"/api/groups/{mine[0]}", key=key)).status_code == 200
    for method, path in (("GET", f"/api/groups/{theirs[0]}"), ("PATCH", f"/api/groups/{theirs[0]}")):
        assert (await api.ask(method, path, key=key, json={})).status_code == 404
    body = {"bot_id": SECOND, "chat_id": -5}
    unknown = {"bot_id": 5, "chat_id": -5}
    answers = [await api.ask("POST", "/api/groups", key=key, json=each) for each in (body, unknown)]
    assert [answer.json()["code"] for answer in answers] == ["unknown_bot", "unknown_bot"]


async def test_bots_are_shown_without_their_tokens(api: Api) -> None:
    await api.grow(FIRST, 2)
    [bot] = (await api.ask("GET", "/api/bots")).json()["items"]
    assert (bot["bot_id"], bot["groups"], bot["per_second"]) == (FIRST, 2, 30)
    assert "token" not in str(bot)
    assert (await api.ask("GET", f"/api/bots/{FIRST}")).json() == bot


@pytest.mark.parametrize(
    "change", [{"window": None}, {"timezone": "Asia/Tokyo"}, {"window": {"from": "00:00", "to": "23:59"}}]
)
async def test_what_waits_for_a_window_is_looked_at_again_when_it_changes(api: Api, change: dict[str, Any]) -> None:
    """With a time to live it would else be over before the old date, though the new window is open."""
    [group_id, other] = await api.grow(FIRST, 2)
    targets = Targets(group_ids=[group_id, other])
    async with api.db.transaction() as tx:
        broadcast_id = await broadcasts.create(tx, targets, {"method": "sendMessage", "params": {"text": "x"}})
        await deliveries.plan(tx, broadcast_id, targets, limit=10)
        await broadcasts.planned(tx, broadcast_id)
        await tx.execute("UPDATE groups SET window_from = '09:00', window_to = '09:01'")
        await tx.execute("UPDATE deliveries SET not_before = now() + interval '1 day'")
    await api.ask("PATCH", f"/api/groups/{group_id}", json={"tags": ["x"]})
    assert [row["not_before"] > utc_now() for row in await api.rows("deliveries")] == [True, True]
    answer = await api.ask("PATCH", f"/api/groups/{group_id}", json=change)
    assert answer.status_code == 200, answer.text
    assert [row["not_before"] > utc_now() for row in await api.rows("deliveries")] == [False, True]
