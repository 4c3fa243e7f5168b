"""POST /api/send_messages: what is accepted, what is counted, and what is written."""

from __future__ import annotations

import json
from datetime import timedelta
from math import ceil

import httpx
import pytest
from common.clock import utc_now
from common.jobs import PlanBroadcast
from ingress.api import messages

from .api import FIRST, SECOND, Api
from .test_broadcasts import planned, settled

WAYS = ("/api/send_messages?dry_run=1", "/api/send_messages")


async def values(api: Api, group: int, **variables: str) -> None:
    """A group gets its own."""
    answer = await api.ask("PATCH", f"/api/groups/{group}", json={"variables": variables})
    assert answer.status_code == 200, answer.text


async def both(api: Api, message: dict[str, object], **targets: object) -> list[httpx.Response]:
    """A dry run, then the real request."""
    body = {"message": message, "targets": targets or {"all": True}}
    return [await api.ask("POST", path, json=body) for path in WAYS]


async def test_a_message_for_all_becomes_a_broadcast_and_its_plan_job(api: Api) -> None:
    await api.grow(FIRST, 3)
    answer = await api.send()
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert body == {
        "broadcast_id": 1, "accepted": 3, "skipped": 0, "skipped_by_reason": {}, "eta_seconds": 1,
        "eta_unheld_seconds": 1, "held_by_reason": {}, "messages_each": 1, "without_value": {}, "unknown_tags": [],
    }  # fmt: skip
    [row] = await api.rows("broadcasts")
    assert (row["state"], row["content"]) == ("planning", {"method": "sendMessage", "params": {"text": "hello"}})
    [job] = await api.rows("outbox")
    assert PlanBroadcast.model_validate(json.loads(job["body"])) == PlanBroadcast(broadcast_id=1)
    assert len(answer.headers["x-trace-id"]) == 32


@pytest.mark.parametrize(("ahead", "by"), [(1, timedelta(minutes=30)), (-1, timedelta(minutes=-30))])
async def test_whether_it_is_due_is_for_the_database_to_say(
    api: Api, monkeypatch: pytest.MonkeyPatch, ahead: int, by: timedelta
) -> None:
    """A host an hour ahead sent at once what was for in half an hour."""
    await api.grow(FIRST, 1)
    send_at = utc_now() + by
    monkeypatch.setattr(messages, "utc_now", lambda: utc_now() + timedelta(hours=ahead))
    assert (await api.send(send_at=send_at.isoformat(), ttl_seconds=60)).status_code == 202
    [row] = await api.rows("broadcasts")
    late = by < timedelta(0)
    assert (row["state"], len(await api.rows("outbox"))) == (("planning", 1) if late else ("scheduled", 0))
    assert (row["send_at"] == send_at) != late, "what is past is now"
    assert row["expires_at"] - row["send_at"] == timedelta(seconds=60)


async def test_a_long_text_is_accepted_up_to_twenty_messages(api: Api) -> None:
    await api.grow(FIRST, 30)
    answer = await api.send(message={"type": "text", "text": "word " * 8000, "parse_mode": "HTML"})
    assert (answer.status_code, answer.json()["eta_seconds"]) == (202, 10)
    for text in ("word " * 8200, "word " * 7900 + "{{x}}"):
        refused = await api.send(message={"type": "text", "text": text})
        assert refused.status_code == 422
        [error] = refused.json()["errors"]
        assert error["what"].endswith("20 are possible")


@pytest.mark.parametrize(("groups", "eta"), [(1, 4), (30, 4), (31, 8), (90, 12)])
async def test_the_parts_of_a_long_text_take_their_time(api: Api, groups: int, eta: int) -> None:
    """A group gets one a second, and a bot's thirty a second go to thirty groups, which are told to the end first."""
    ids = await api.grow(FIRST, groups)
    message = {"type": "text", "text": "word " * 3000}
    for answer in await both(api, message):
        assert (answer.json()["messages_each"], answer.json()["eta_seconds"]) == (4, eta)
    broadcast_id = await planned(api, ids, content={"method": "sendMessage", "params": {"text": message["text"]}})
    await settled(api, broadcast_id, *["sending"] * groups, final="running")
    assert (await api.ask("GET", f"/api/broadcasts/{broadcast_id}")).json()["eta_seconds"] == eta
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET parts = 4, parts_done = 3")
    left = (await api.ask("GET", f"/api/broadcasts/{broadcast_id}")).json()["eta_seconds"]
    assert left == ceil(groups / 30), "three of four are sent"


async def test_many_short_variables_do_not_make_a_text_long(api: Api) -> None:
    [group] = await api.grow(FIRST, 1)
    await values(api, group, a="x")
    assert (await api.send(message={"type": "text", "text": "{{a}} " * 19})).status_code == 202


async def test_a_copy_may_lose_its_caption_or_get_another(api: Api) -> None:
    await api.grow(FIRST, 1)
    copy = {"type": "copy", "from_chat_id": -100, "message_id": 5}
    for options in ({}, {"remove_caption": True, "show_caption_above_media": True}, {"caption": "hi"}):
        assert (await api.send(message=copy | options)).status_code == 202
    contents = [row["content"]["params"] for row in await api.rows("broadcasts")]
    source = {"from_chat_id": -100, "message_id": 5}
    assert contents == [
        source, source | {"caption": "", "show_caption_above_media": True}, source | {"caption": "hi"},
    ]  # fmt: skip
    assert (await api.send(message=copy | {"caption": "x", "remove_caption": True})).status_code == 422


async def test_groups_without_a_value_are_counted_by_variable(api: Api) -> None:
    first, second, _, away, other = await api.grow(FIRST, 5)
    await values(api, first, city="Berlin", host="Ada")
    await values(api, second, city="")
    await values(api, away, host="x")
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE groups SET phase = 'paused' WHERE group_id = $1", away)
    message = {"type": "text", "text": "{{title}}, {{ city }}: {{host}}, {{city}}"}
    for answer in await both(api, message, all=True, exclude_group_ids=[other]):
        assert (answer.status_code, answer.json()["accepted"]) == (202, 3)
        assert answer.json()["without_value"] == {"city": 1, "host": 2}, "an empty one is a value"
    for answer in await both(api, message, group_ids=[first]):
        assert answer.json()["without_value"] == {}


@pytest.mark.parametrize(
    "message",
    [
        {"type": "text", "text": "hi {{nosuch}}, {{city}} {{title}}"},
        {"type": "photo", "media": "https://example.org/a.png", "caption": "{{nosuch}}"},
        {
            "type": "album",
            "media": [
                {"type": "photo", "media": "https://example.org/a.png"},
                {"type": "photo", "media": "https://example.org/b.png", "caption": "hi {{nosuch}}"},
            ],
        },
        {"type": "copy", "from_chat_id": -100, "message_id": 5, "caption": "hi {{nosuch}}"},
    ],
)
async def test_a_variable_that_no_group_has_is_refused(api: Api, message: dict[str, object]) -> None:
    first, _ = await api.grow(FIRST, 2)
    [theirs] = await api.grow(SECOND, 1)
    await values(api, first, city="Berlin")
    await values(api, theirs, nosuch="x")
    for answer in await both(api, message, all=True, exclude_group_ids=[theirs]):
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["variables"]) == (422, "unknown_variable", ["nosuch"])
        assert problem["detail"] == "no group that this reaches has a value for {{nosuch}}"
    assert await api.rows("broadcasts") == []
    assert [answer.json()["without_value"]["nosuch"] for answer in await both(api, message)] == [2, 2]


@pytest.mark.parametrize(
    ("at", "fields"),
    [
        ("buttons.0.0.text", {"text": "Hello {{title}}", "url": "https://example.org"}),
        ("buttons.0.0.url", {"text": "open", "url": "https://example.org/?group={{name}}"}),
        ("buttons.0.0.callback_data", {"text": "open", "callback_data": "{{ name }}"}),
    ],
)
async def test_a_variable_in_a_button_is_refused(api: Api, at: str, fields: dict[str, str]) -> None:
    """Nobody fills it in there: every group would read it as it is written."""
    [group] = await api.grow(FIRST, 1)
    await values(api, group, name="x")
    for answer in await both(api, {"type": "text", "text": "hi", "buttons": [[fields]]}):
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        what = "variables are for texts and captions: this is the same in every group"
        assert error == {"in": "body", "at": f"message.{at}", "what": what}


async def test_tags_that_no_group_has_are_named(api: Api) -> None:
    await api.grow(FIRST, 2, tags=["berlin"])
    await api.grow(SECOND, 1, tags=["theirs"])
    key = await api.make_key("*", bot_ids=[FIRST])
    targets = {"tags": ["nosuch", "berlin", "theirs"], "exclude_tags": ["quite", "nosuch"]}
    for answer in await both(api, {"type": "text", "text": "x"}, **targets):
        assert (answer.json()["accepted"], answer.json()["unknown_tags"]) == (3, ["nosuch", "quite"])
    mine = await api.send(key=key, targets=targets)
    assert (mine.json()["accepted"], mine.json()["unknown_tags"]) == (2, ["nosuch", "quite", "theirs"])


async def test_a_dry_run_refuses_what_reaches_nobody_as_the_real_one_does(api: Api) -> None:
    await api.grow(FIRST, 1)
    dry, real = await both(api, {"type": "text", "text": "hi {{x}}"}, tags=["nosuch"], group_ids=[999])
    for answer in (dry, real):
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "no_recipients")
        assert (problem["skipped_by_reason"], problem["unknown_tags"]) == ({"not_found": 1}, ["nosuch"])
