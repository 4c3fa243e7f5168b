"""Recalls and edits by API: when they are possible, what they become, and what is refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from common.store import broadcasts, revisions

from .api import FIRST, SECOND, Api
from .test_broadcasts import act, planned, settled

BOLD = {"type": "text", "text": "<b>moved</b>", "parse_mode": "HTML"}
BUTTONS = [[{"text": "open", "url": "https://telegram.org"}]]
KEYBOARD = {"inline_keyboard": BUTTONS}


async def over(api: Api, *states: str, content: dict[str, Any] | None = None, **options: Any) -> int:
    """A broadcast whose deliveries ended so."""
    broadcast_id = await planned(api, await api.grow(FIRST, len(states)), **options)
    await settled(api, broadcast_id, *states)
    if content is not None:
        async with api.db.transaction() as tx:
            await tx.execute("UPDATE broadcasts SET content = $2 WHERE broadcast_id = $1", broadcast_id, content)
    return broadcast_id


async def edit(api: Api, broadcast_id: int, **fields: Any) -> httpx.Response:
    return await act(api, broadcast_id, "edit_all", edit=fields)


async def test_a_recall_is_accepted_counted_and_in_the_trail(api: Api) -> None:
    broadcast_id = await over(api, "sent", "sent", "failed")
    async with api.db.transaction() as tx:
        await tx.execute(
            """UPDATE deliveries SET settled_at = now() - interval '49 h' WHERE delivery_id = (
                   SELECT min(delivery_id) FROM deliveries)"""
        )
    answer = await act(api, broadcast_id, "recall")
    assert answer.status_code == 202, answer.text
    assert answer.json() == {
        "broadcast_id": broadcast_id, "state": "done", "revision_id": 1, "kind": "recall", "sent": 2,
        "not_recallable": 1, "eta_seconds": 1,
    }  # fmt: skip
    [row] = await api.rows("revisions")
    assert (row["kind"], row["state"], row["priority"], row["content"]) == ("recall", "running", 10, None)
    [entry] = (await api.ask("GET", "/api/audit?limit=1")).json()["items"]
    assert (entry["action"], entry["after"]["revision_id"]) == ("broadcast.recall", 1)


async def test_a_second_recall_does_nothing(api: Api) -> None:
    broadcast_id = await over(api, "sent")
    first, second = await act(api, broadcast_id, "recall"), await act(api, broadcast_id, "recall")
    assert (second.status_code, second.json()) == (202, first.json())
    assert len(await api.rows("revisions")) == 1
    assert [row["action"] for row in await api.rows("audit")].count("broadcast.recall") == 1


@pytest.mark.parametrize("verb", ["recall", "edit_all"])
@pytest.mark.parametrize("state", ["scheduled", "planning", "running"])
async def test_while_it_runs_it_must_be_paused_first(api: Api, state: str, verb: str) -> None:
    broadcast_id = await over(api, "sent")
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE broadcasts SET state = $2 WHERE broadcast_id = $1", broadcast_id, state)
    answer = await act(api, broadcast_id, verb, **({"edit": BOLD} if verb == "edit_all" else {}))
    assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (409, "wrong_state", state)
    instead = {
        ("scheduled", "recall"): "nothing of it is sent, cancel it",
        ("scheduled", "edit_all"): "cancel it, and send it anew",
    }.get((state, verb), "pause or cancel it first")
    possible = f"({verb} is for one that is paused, cancelled or done)"
    assert answer.json()["detail"] == f"the broadcast is {state}: {instead} {possible}"
    assert answer.json()["possible_in"] == ["paused", "cancelled", "done"]
    assert await api.rows("revisions") == []


async def test_the_recall_of_a_paused_one_cancels_the_rest_and_nothing_is_sent_any_more(api: Api) -> None:
    broadcast_id = await over(api, "sent", "failed")
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE broadcasts SET state = 'paused', finished_at = NULL")
    assert (await act(api, broadcast_id, "recall")).json()["state"] == "cancelled"
    for verb in ("resume", "retry_failed"):
        answer = await act(api, broadcast_id, verb)
        assert (answer.status_code, answer.json()["state"]) == (409, "cancelled")


async def test_a_recalled_one_is_not_sent_again_nor_edited(api: Api) -> None:
    broadcast_id = await over(api, "failed", "unknown", "sent")
    await act(api, broadcast_id, "recall")
    answers = [
        await act(api, broadcast_id, "retry_failed"),
        await act(api, broadcast_id, "resolve_unknown", outcome="resend"),
        await edit(api, broadcast_id, **BOLD),
    ]
    assert [(answer.status_code, "recalled" in answer.json()["detail"]) for answer in answers] == [(409, True)] * 3


async def test_an_edit_becomes_a_call_and_the_broadcasts_content(api: Api) -> None:
    broadcast_id = await over(api, "sent", priority=8)
    answer = await edit(api, broadcast_id, **BOLD, buttons=BUTTONS)
    assert answer.status_code == 202, answer.text
    [row] = await api.rows("revisions")
    new = {"text": "<b>moved</b>", "parse_mode": "HTML", "reply_markup": KEYBOARD}
    assert (row["content"], row["priority"]) == ({"method": "editMessageText", "params": new}, 8)
    async with api.db.transaction() as tx:
        assert await broadcasts.content(tx, broadcast_id) == {"method": "sendMessage", "params": new}
        assert await tx.fetchval("SELECT edition FROM broadcasts") == 1
    [entry] = (await api.ask("GET", "/api/audit?limit=1")).json()["items"]
    assert entry["action"] == "broadcast.edit"
    assert "moved" not in str(entry)


async def test_a_later_revision_supersedes_the_one_that_runs(api: Api) -> None:
    broadcast_id = await over(api, "sent")
    await edit(api, broadcast_id, **BOLD)
    await edit(api, broadcast_id, type="text", text="again")
    await act(api, broadcast_id, "recall")
    assert [row["state"] for row in await api.rows("revisions")] == ["superseded", "superseded", "running"]


TEXT: dict[str, Any] = {"method": "sendMessage", "params": {"text": "a", "reply_markup": KEYBOARD}}
PHOTO: dict[str, Any] = {"method": "sendPhoto", "params": {"photo": "https://p.eu/1", "caption": "a"}}
DOCUMENT: dict[str, Any] = {"method": "sendDocument", "params": {"document": "https://p.eu/1"}}
FILES = [{"type": "photo", "media": "https://p.eu/1", "caption": "a"}, {"type": "photo", "media": "https://p.eu/2"}]
ALBUM: dict[str, Any] = {"method": "sendMediaGroup", "params": {"media": FILES}}
COPY: dict[str, Any] = {"method": "copyMessage", "params": {"from_chat_id": 1, "message_id": 2, "caption": "a"}}


@pytest.mark.parametrize(
    ("content", "fields", "call", "after"),
    [
        (TEXT, {"type": "text", "text": "b"}, ("editMessageText", {"text": "b", "reply_markup": KEYBOARD}),
         {"method": "sendMessage", "params": {"text": "b", "reply_markup": KEYBOARD}}),
        (TEXT, {"type": "text", "text": "b", "buttons": []}, ("editMessageText", {"text": "b"}),
         {"method": "sendMessage", "params": {"text": "b"}}),
        (TEXT, {"type": "buttons", "buttons": []}, ("editMessageReplyMarkup", {}),
         {"method": "sendMessage", "params": {"text": "a"}}),
        (PHOTO, {"type": "caption", "caption": "b", "show_caption_above_media": True},
         ("editMessageCaption", {"caption": "b", "show_caption_above_media": True}),
         {"method": "sendPhoto",
          "params": {"photo": "https://p.eu/1", "caption": "b", "show_caption_above_media": True}}),
        (PHOTO, {"type": "caption"}, ("editMessageCaption", {}),
         {"method": "sendPhoto", "params": {"photo": "https://p.eu/1"}}),
        (DOCUMENT, {"type": "buttons", "buttons": BUTTONS}, ("editMessageReplyMarkup", {"reply_markup": KEYBOARD}),
         {"method": "sendDocument", "params": {"document": "https://p.eu/1", "reply_markup": KEYBOARD}}),
        (ALBUM, {"type": "caption", "caption": "b"}, ("editMessageCaption", {"caption": "b"}),
         {"method": "sendMediaGroup", "params": {"media": [FILES[0] | {"caption": "b"}, FILES[1]]}}),
        (COPY, {"type": "text", "text": "b"}, ("editMessageText", {"text": "b"}),
         {"method": "sendMessage", "params": {"text": "b"}}),
        (COPY, {"type": "caption", "caption": "b"}, ("editMessageCaption", {"caption": "b"}),
         {"method": "copyMessage", "params": {"from_chat_id": 1, "message_id": 2, "caption": "b"}}),
    ],
)  # fmt: skip
async def test_what_each_kind_of_message_becomes(
    api: Api, content: dict[str, Any], fields: dict[str, Any], call: tuple[str, dict[str, Any]], after: dict[str, Any]
) -> None:
    broadcast_id = await over(api, "sent", content=content)
    answer = await edit(api, broadcast_id, **fields)
    assert answer.status_code == 202, answer.text
    [row] = await api.rows("revisions")
    assert row["content"] == {"method": call[0], "params": call[1]}
    [kept] = await api.rows("broadcasts")
    assert kept["content"] == after


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (TEXT, {"type": "caption", "caption": "b"}),
        (PHOTO, {"type": "text", "text": "b"}),
        (ALBUM, {"type": "text", "text": "b"}),
        (ALBUM, {"type": "buttons", "buttons": BUTTONS}),
        (ALBUM, {"type": "caption", "caption": "b", "buttons": BUTTONS}),
        (DOCUMENT, {"type": "caption", "caption": "b", "show_caption_above_media": True}),
    ],
)
async def test_an_edit_that_does_not_fit_the_messages_is_refused(
    api: Api, content: dict[str, Any], fields: dict[str, Any]
) -> None:
    broadcast_id = await over(api, "sent", content=content)
    answer = await edit(api, broadcast_id, **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "edit_mismatch")
    assert await api.rows("revisions") == []


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "text", "text": ""},
        {"type": "text", "text": "<b>x", "parse_mode": "HTML"},
        {"type": "text", "text": "x" * 4097},
        {"type": "text", "text": "x", "caption": "y"},
        {"type": "text", "text": "{{ no }"},
        {"type": "caption", "caption": "x" * 1025},
        {"type": "caption", "caption": "_x", "parse_mode": "MarkdownV2"},
        {"type": "buttons"},
        {"type": "buttons", "buttons": None},
        {"type": "buttons", "buttons": [[]]},
        {"type": "buttons", "buttons": [[{"text": "x", "url": "javascript:alert(1)"}]]},
        {"type": "media", "media": "x"},
        {},
    ],
)
async def test_a_content_that_telegram_would_refuse_is_refused_here(api: Api, fields: dict[str, Any]) -> None:
    broadcast_id = await over(api, "sent")
    answer = await edit(api, broadcast_id, **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert await api.rows("revisions") == []


@pytest.mark.parametrize("fields", [{"text": "Hello {{nosuch}}, {{city}}!"}, {"caption": "Hello {{nosuch}}!"}])
async def test_an_edit_with_a_variable_that_no_group_of_it_has_is_refused(api: Api, fields: dict[str, str]) -> None:
    """Everybody would read "Hello !". Groups that have nothing of it do not count, those that still get it do."""
    content = PHOTO if "caption" in fields else TEXT
    broadcast_id = await over(api, "sent", "failed", "pending", content=content)
    sent, failed, pending = api.groups[FIRST]
    await named(api, sent, city="Berlin")
    await named(api, failed, nosuch="x")
    answer = await edit(api, broadcast_id, type=next(iter(fields)), **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_variable")
    assert answer.json()["variables"] == ["nosuch"]
    assert (await api.rows("revisions"), (await api.rows("broadcasts"))[0]["content"]) == ([], content)
    await named(api, pending, nosuch="x")
    assert (await edit(api, broadcast_id, type=next(iter(fields)), **fields)).status_code == 202


async def named(api: Api, group: int, **variables: str) -> None:
    assert (await api.ask("PATCH", f"/api/groups/{group}", json={"variables": variables})).status_code == 200


async def test_another_text_is_refused_where_every_group_has_it_in_several_messages(api: Api) -> None:
    """It would fail everywhere, and leave a content that nobody has."""
    broadcast_id = await over(api, "sent", "sent", "cancelled", content=TEXT)
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET parts = 3, parts_done = 3 WHERE state = 'sent'")
    answer = await edit(api, broadcast_id, **BOLD)
    assert (answer.status_code, answer.json()["code"]) == (422, "edit_mismatch")
    assert "in several messages" in answer.json()["detail"]
    assert (await api.rows("revisions"), (await api.rows("broadcasts"))[0]["content"]) == ([], TEXT)
    assert (await edit(api, broadcast_id, type="buttons", buttons=[])).status_code == 202, "they are the last one's"
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET parts = 1, parts_done = 1 WHERE group_id = $1", api.groups[FIRST][0])
    assert (await edit(api, broadcast_id, **BOLD)).status_code == 202, "one group can have it"


async def test_progress_and_what_failed(api: Api) -> None:
    broadcast_id = await over(api, "sent", "unknown", "sent")
    revision_id = (await act(api, broadcast_id, "recall")).json()["revision_id"]
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE revisions SET created_at = now() - interval '1 min'")
        assert await revisions.unplanned(tx) == [revision_id]
        assert await revisions.plan(tx, revision_id, limit=2) == 2
        assert await revisions.plan(tx, revision_id, limit=2) == 1
        assert await revisions.plan(tx, revision_id, limit=2) == 0
        assert await revisions.plan(tx, revision_id, limit=2) == 0
        assert await revisions.unplanned(tx) == []
    [shown] = (await api.ask("GET", f"/api/broadcasts/{broadcast_id}")).json()["revisions"]
    assert (shown["kind"], shown["state"], shown["total"]) == ("recall", "running", 3)
    assert shown["messages"] == {"pending": 2, "failed": 1}
    path = f"/api/broadcasts/{broadcast_id}/revisions/{revision_id}/deliveries"
    [failed] = (await api.ask("GET", f"{path}?state=failed")).json()["items"]
    assert (failed["group_id"], failed["error"]) == (api.groups[FIRST][1], "nobody knows whether it was sent")
    page = (await api.ask("GET", f"{path}?limit=2")).json()
    rest = (await api.ask("GET", f"{path}?limit=2&cursor={page['next_cursor']}")).json()
    assert [len(page["items"]), len(rest["items"]), rest["next_cursor"]] == [2, 1, None]
    other = await over(api, "sent")
    missing = await api.ask("GET", f"/api/broadcasts/{other}/revisions/{revision_id}/deliveries")
    assert (missing.status_code, missing.json()["code"]) == (404, "revision_not_found")


async def test_the_same_request_twice_is_one_edit(api: Api) -> None:
    broadcast_id = await over(api, "sent")
    ask = {"json": {"edit": BOLD}, "headers": {"Idempotency-Key": "k1"}}
    answers = [await api.ask("POST", f"/api/broadcasts/{broadcast_id}:edit_all", **ask) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(await api.rows("revisions")) == 1


async def test_a_key_of_another_bot_sees_and_touches_nothing(api: Api) -> None:
    broadcast_id = await over(api, "sent", bot_ids=[FIRST])
    await api.grow(SECOND, 1)
    key = await api.make_key("*", bot_ids=[SECOND])
    for verb, body in (("recall", None), ("edit_all", {"edit": BOLD})):
        answer = await api.ask("POST", f"/api/broadcasts/{broadcast_id}:{verb}", key=key, json=body)
        assert answer.status_code == 404
    assert await api.rows("revisions") == []


async def test_its_eta_counts_what_is_still_to_be_done_and_what_goes_before(api: Api) -> None:
    """A bot does 30 a second: 90 messages, of which the first 30 are done; another recall and a broadcast beside it."""
    broadcast_id = await over(api, *["sent"] * 90)
    assert (await act(api, broadcast_id, "recall")).json()["eta_seconds"] == 3, "before anything is planned"
    assert await etas(api, broadcast_id) == [3]
    async with api.db.transaction() as tx:
        await revisions.plan(tx, 1, limit=60)
    assert await etas(api, broadcast_id) == [3], "60 of them have their items"
    async with api.db.transaction() as tx:
        await tx.execute(
            "UPDATE revision_items SET state = 'done' WHERE item_id IN (SELECT item_id FROM revision_items LIMIT 30)"
        )
    assert await etas(api, broadcast_id) == [2]
    rival = await over(api, *["sent"] * 30)
    await act(api, rival, "recall")
    assert (await etas(api, broadcast_id), await etas(api, rival)) == ([3], [2]), "they take turns"
    urgent = await planned(api, await api.grow(FIRST, 60), priority=9)
    assert (await etas(api, broadcast_id), await etas(api, rival)) == ([3], [2]), "recalls go before every broadcast"
    shown = (await api.ask("GET", f"/api/broadcasts/{urgent}")).json()
    assert shown["eta_seconds"] == 5, "60 of its own behind 60 and 30 to be deleted"
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE revisions SET state = 'done', finished_at = now()")
    assert await etas(api, broadcast_id) == [None]


async def test_an_edit_waits_for_more_urgent_broadcasts_and_shares_with_its_equals(api: Api) -> None:
    broadcast_id = await over(api, *["sent"] * 30)
    await edit(api, broadcast_id, **BOLD)
    assert await etas(api, broadcast_id) == [1]
    await planned(api, await api.grow(FIRST, 60))
    assert await etas(api, broadcast_id) == [2], "the other one may have 30 before its last"
    await planned(api, await api.grow(FIRST, 60), priority=4)
    await planned(api, await api.grow(SECOND, 60), priority=9)
    assert await etas(api, broadcast_id) == [2], "less urgent, and another bot's"
    await planned(api, await api.grow(FIRST, 60), priority=6)
    assert await etas(api, broadcast_id) == [4]
    body = {"message": {"type": "text", "text": "x"}, "targets": {"group_ids": (await api.grow(FIRST, 30))[-30:]}}
    dry = await api.ask("POST", "/api/send_messages?dry_run=true", json=body)
    assert dry.json()["eta_seconds"] == 5, "30 of its own, 60 more urgent ones, 30 of the equal broadcast's, 30 edits"


async def etas(api: Api, broadcast_id: int) -> list[int | None]:
    shown = (await api.ask("GET", f"/api/broadcasts/{broadcast_id}")).json()
    return [revision["eta_seconds"] for revision in shown["revisions"]]
