"""What a request may hold: refused with the names that it has itself, in words, and never as a surprise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from common import bot_token
from ingress.app import MAX_BODY
from ingress.rules import shapes

from .api import FIRST, TEXT, Api
from .test_schedules import BODY
from .test_webhooks_out import make as make_webhook

HALF = "x\ud800"
BEYOND = ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00")
SEND = "/api/send_messages"
BUTTON = {"text": "x", "url": "https://a.example.com"}


async def refused(api: Api, method: str, path: str, **options: Any) -> list[tuple[str, str]]:
    """Where and what; 422."""
    answer = await api.ask(method, path, **options)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    return [(error["at"], error["what"]) for error in answer.json()["errors"]]


def message(**changes: Any) -> dict[str, Any]:
    """A request with this in its message."""
    return {"message": {"type": "text", "text": "x", **changes}, "targets": {"all": True}}


@pytest.mark.parametrize("at", BEYOND)
async def test_a_date_that_utc_has_not_is_refused_everywhere(api: Api, at: str) -> None:
    made = await api.ask("POST", "/api/schedules", json=BODY)
    webhook = (await make_webhook(api)).json()["webhook_id"]
    for method, path, body in (
        ("POST", "/api/schedules", BODY | {"ends_at": at}),
        ("PATCH", f"/api/schedules/{made.json()['schedule_id']}", {"ends_at": at}),
        ("POST", "/api/schedules:preview", {"cron": "0 9 * * *", "ends_at": at}),
        ("POST", f"/api/webhooks/{webhook}:replay", {"since": at}),
        ("POST", "/api/keys", {"name": "x", "scopes": ["*"], "expires_at": at}),
        ("POST", SEND, message() | {"send_at": at}),
    ):
        [(where, what)] = await refused(api, method, path, json=body)
        assert where in body
        assert what == "must lie within the years 1 to 9999 in UTC"
    for name in ("since", "until"):
        assert [where for where, _ in await refused(api, "GET", "/api/audit", params={name: at})] == [name]


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        (SEND, message(text=HALF), "message.text"),
        (f"{SEND}?dry_run=1", message(text=HALF), "message.text"),
        (SEND, message(buttons=[[{"text": HALF, "callback_data": "x"}]]), "message.buttons.0.0.text"),
        (SEND, message(buttons=[[{"text": "x", "callback_data": HALF}]]), "message.buttons.0.0.callback_data"),
        (SEND, message() | {"targets": {"tags": ["a", HALF]}}, "targets.tags.1"),
        ("/api/schedules", BODY | {"message": {"type": "text", "text": HALF}}, "message.text"),
        ("/api/schedules", BODY | {"name": HALF}, "name"),
        ("/api/schedules", BODY | {"timezone": HALF}, "timezone"),
        ("/api/groups", {"bot_id": FIRST, "chat_id": -5, "title": HALF}, "title"),
        ("/api/groups", {"bot_id": FIRST, "chat_id": -5, "variables": {"city": HALF}}, "variables.city"),
        ("/api/broadcasts/1:edit_all", {"edit": {"type": "text", "text": HALF}}, "edit.text"),
        (
            "/api/broadcasts/1:edit_all",
            {"edit": {"type": "buttons", "buttons": [[BUTTON | {"text": HALF}]]}},
            "edit.buttons.0.0.text",
        ),
        ("/api/keys", {"name": HALF, "scopes": ["*"]}, "name"),
        ("/api/webhooks", {"url": f"https://hooks.shop.com/{HALF}", "kinds": ["delivery.failed"]}, "url"),
    ],
)
async def test_half_a_surrogate_pair_is_refused_everywhere(api: Api, path: str, body: dict[str, Any], at: str) -> None:
    """JSON can name it, UTF-8 and PostgreSQL can't carry it."""
    content = json.dumps(body).encode()
    [(where, what)] = await refused(api, "POST", path, content=content, headers={"Content-Type": "application/json"})
    assert (where, what) == (at, "has half of a surrogate pair, which is no character")


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        (SEND, message(type=HALF), "message.type"),
        (SEND, message(parse_mode=HALF), "message.parse_mode"),
        (SEND, message() | {"on_unknown": HALF}, "on_unknown"),
        (SEND, message() | {"send_at": HALF}, "send_at"),
        (SEND, message() | {"send_at": f"09:00{HALF}"}, "send_at"),
        (SEND, message() | {HALF: 1}, ""),
        ("/api/groups", {"bot_id": FIRST, "chat_id": -5, "variables": {HALF: "x"}}, "variables"),
        ("/api/groups", {"bot_id": FIRST, "chat_id": -5, "window": {"from": HALF, "to": "09:00"}}, "window.from"),
        ("/api/groups", {"bot_id": FIRST, "chat_id": -5, "timezone": HALF}, "timezone"),
        ("/api/schedules", BODY | {"cron": HALF}, "cron"),
        ("/api/keys", {"name": "x", "scopes": [HALF]}, "scopes.0"),
        ("/api/bots", {"token": HALF}, "token"),
        ("/api/bots", {"token": "x", "webhook": HALF}, "webhook"),
        ("/api/webhooks/1:replay", {"after": HALF}, "after"),
    ],
)
async def test_half_a_pair_is_no_surprise_anywhere(api: Api, path: str, body: dict[str, Any], at: str) -> None:
    content, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    assert at in [where for where, _ in await refused(api, "POST", path, content=content, headers=headers)]


@pytest.mark.parametrize(
    ("content", "code", "status", "detail"),
    [
        (b'{"x": "' + b"x" * MAX_BODY + b'"}', "content_too_large", 413, "the body is larger than 256 KiB"),
        (b'{"x": "\xff"}', "bad_request", 400, "the body is not UTF-8"),
        (b"[" * 200_000, "bad_request", 400, "the body's JSON is too deep"),
        (b'{"x": ' + b"9" * 5000 + b"}", "bad_request", 400, "the body's JSON has a number with too many digits"),
    ],
    ids=["large", "not UTF-8", "deep", "long number"],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_can_not_be_read_is_a_problem_that_says_why(
    api: Api, content: bytes, code: str, status: int, detail: str, *, chunked: bool
) -> None:
    async def parts() -> Any:
        yield content

    headers = {"Content-Type": "application/json"}
    answer = await api.ask("POST", SEND, content=parts() if chunked else content, headers=headers)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["detail"]) == (status, code, detail)
    assert problem["trace_id"] == answer.headers["x-trace-id"]


async def test_what_is_no_json_at_all_says_where_it_ends_to_be(api: Api) -> None:
    headers = {"Content-Type": "application/json"}
    assert await refused(api, "POST", SEND, content=b'{"a": ', headers=headers) == [("", "is not JSON (character 6)")]
    [(_, what)] = await refused(api, "POST", SEND, data={"a": "b"})
    assert what == "must be a JSON object, sent as application/json"


@pytest.mark.parametrize(
    ("changes", "at", "what"),
    [
        ({"message": {"text": "x"}}, "message.type", "is missing"),
        ({"message": {"type": "poem"}}, "message.type", "must be one of 'text', 'photo', 'video', 'document', 'album'"),
        ({"message": {"type": "text"}}, "message.text", "is missing"),
        ({"message": {"type": "text", "text": ""}}, "message.text", "is empty"),
        ({"message": {"type": "text", "text": 5}}, "message.text", "must be text"),
        ({"message": {"type": "text", "text": "x", "parse_mode": "x"}}, "message.parse_mode", "must be "),
        ({"message": {"type": "text", "text": "<b>", "parse_mode": "HTML"}}, "message.text", ""),
        ({"message": {"type": "photo", "media": "x"}}, "message.media", "too short for an address or a file_id"),
        ({"message": {"type": "photo"}}, "message.media", "is missing"),
        (
            {"message": {"type": "album", "media": [{"type": "photo", "media": "x"}, {"type": "photo", "media": "x"}]}},
            "message.media.0.media",
            "too short",
        ),
        ({"message": {"type": "text", "text": "x", "buttons": [[{"text": "x"}]]}}, "message.buttons.0.0", "a button"),
        ({"message": {"type": "text", "text": "x", "text_": "x"}}, "message.text_", "is not known here"),
        ({"targets": {"tags": []}}, "targets", "give either all, or group_ids and tags"),
        ({"targets": {"all": "true"}}, "targets.all", "must be true or false"),
        ({"targets": []}, "targets", "must be an object"),
        ({"priority": "9"}, "priority", "must be a whole number"),
        ({"priority": True}, "priority", "must be a whole number"),
        ({"priority": 10}, "priority", "must be at most 9"),
        ({"on_unknown": "guess"}, "on_unknown", "must be 'report' or 'resend_once'"),
        ({"send_at": 1800000000}, "send_at", "must be a date and time with its offset"),
        ({"send_at": "1800000000"}, "send_at", "must be a date and time with its offset"),
        ({"send_at": "2030-01-01T00:00:00"}, "send_at", "must be a date and time with its offset"),
        ({"send_at": "2130-01-01T00:00:00Z"}, "send_at", "is more than a year ahead"),
    ],
)
async def test_what_is_wrong_is_named_by_the_fields_of_the_request(
    api: Api, changes: dict[str, Any], at: str, what: str
) -> None:
    found = await refused(api, "POST", SEND, json={"message": TEXT, "targets": {"all": True}} | changes)
    assert [where for where, _ in found][:1] == [at], found
    assert found[0][1].startswith(what)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/api/groups", "GET, POST"), ("/api/groups/1", "GET, PATCH"), (SEND, "POST"), ("/livez", "GET")],
)
async def test_a_method_that_a_path_has_not_is_told_of_all_that_it_has(api: Api, path: str, allowed: str) -> None:
    """RFC 9110 15.5.6; the router named those of one operation alone."""
    answer = await api.ask("PUT", path, json={})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("method", "path", "options", "at", "what"),
    [
        ("PATCH", "/api/groups/1", {"json": {"tags": ["a,b"]}}, "tags.0", shapes.TAG),
        ("POST", SEND, {"json": message() | {"targets": {"tags": ["x" * 65]}}}, "targets.tags.0", shapes.TAG),
        ("PATCH", "/api/groups/1", {"json": {"variables": {"First": "x"}}}, "variables.First", shapes.VARIABLE),
        ("PATCH", "/api/groups/1", {"json": {"timezone": "a b"}}, "timezone", shapes.TIMEZONE),
        ("POST", "/api/webhooks/1:replay", {"json": {"after": "12"}}, "after", shapes.EVENT),
        ("GET", "/api/audit", {"params": {"key_id": "x"}}, "key_id", shapes.KEY),
        ("GET", "/api/audit", {"params": {"kind": "bot", "id": "a b"}}, "id", shapes.OBJECT),
        ("GET", "/api/groups", {"params": {"cursor": "!"}}, "cursor", shapes.CURSOR),
        ("POST", "/api/broadcasts/1:pause", {"headers": {"Idempotency-Key": "a b"}}, "Idempotency-Key", shapes.ONCE),
    ],
)
async def test_a_shape_is_said_in_words(
    api: Api, method: str, path: str, options: dict[str, Any], at: str, what: str
) -> None:
    assert await refused(api, method, path, **options) == [(at, shapes.WORDS[what])]


async def test_each_pattern_that_openapi_names_has_words(api: Api) -> None:
    found: set[str] = set()

    def look(at: Any) -> None:
        for name, value in at.items() if isinstance(at, dict) else enumerate(at) if isinstance(at, list) else ():
            if name == "pattern" and isinstance(value, str):
                found.add(value)
            if name == "patternProperties":
                found.update(value)
            look(value)

    look((await api.ask("GET", "/openapi.json")).json())
    assert found - {bot_token.FORM} == set(shapes.WORDS), "a token has words of its own"
