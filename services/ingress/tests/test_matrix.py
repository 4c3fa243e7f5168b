"""Every operation of the description by {no key, wrong scope, a key of another bot, a key for everything}.

A new operation is in it by itself; one without an entry in `BODIES` fails here until it has one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
from common.store import revisions
from ingress.app import create_app
from ingress.webhook import PATH
from telegram_sim.testing import Simulation

from . import asgi
from .api import FIRST, SECOND, Api, token_of
from .test_broadcasts import planned

SCHEDULE = {
    "name": "daily",
    "cron": "0 9 * * *",
    "message": {"type": "text", "text": "x"},
    "targets": {"all": True},
}
WEBHOOK = {"url": "https://hooks.shop.com/x", "kinds": ["delivery.failed"]}
BODIES: dict[str, Any] = {
    "upload_media": {},
    "send_messages": {"message": {"type": "text", "text": "x"}, "targets": {"all": True}},
    "retry_failed": {},
    "resolve_unknown": {"outcome": "resend"},
    "edit_broadcast": {"edit": {"type": "text", "text": "y"}},
    "make_schedule": SCHEDULE,
    "preview_schedule": {"cron": "0 9 * * *"},
    "change_schedule": {"enabled": False},
    "register_group": {"bot_id": FIRST, "chat_id": -4},
    "change_group": {"tags": ["changed"]},
    "register_bot": {"token": token_of(FIRST)},
    "replace_token": {"token": token_of(FIRST)},
    "change_bot": {"per_second": 20},
    "make_key": {"name": "x", "scopes": ["groups:read"]},
    "rotate_key": {},
    "make_webhook": WEBHOOK,
    "change_webhook": {"kinds": ["broadcast.paused"]},
    "rotate_webhook_secret": {},
    "replay_webhook": {"since": "2026-01-01T00:00:00Z"},
}
AFTER_CANCEL = {"retry_failed", "resolve_unknown"}  # they come later in the description, and find it cancelled
AFTER_CANCEL |= {"edit_broadcast"}  # or recalled
BEYOND = {"send_messages": 422, "register_group": 422, "make_key": 403, "register_bot": 403}
BEYOND |= {"make_schedule": 201, "preview_schedule": 200, "upload_media": 201}  # of its own groups, and of nobody's
BEYOND |= {"make_webhook": 201}  # of its own bots


@dataclass(frozen=True)
class Operation:
    """One of the description's."""

    name: str
    method: str
    path: str
    scope: str
    has_body: bool
    answers: dict[str, Any]

    @property
    def is_list(self) -> bool:
        return self.method == "GET" and self.name.startswith("list_") and "{" not in self.path


async def described() -> dict[str, Any]:
    answer = await asgi.request(create_app(), "/openapi.json", method="GET")
    found: dict[str, Any] = json.loads(answer.body)
    return found


def operations(description: dict[str, Any]) -> list[Operation]:
    return [
        Operation(
            operation["operationId"], method.upper(), path, operation["security"][0]["ApiKey"][0],
            "requestBody" in operation, operation["responses"],
        )
        for path, item in description["paths"].items()
        for method, operation in item.items()
        if "security" in operation
    ]  # fmt: skip


async def stage(api: Api) -> dict[str, str]:
    """A bot with a group, a broadcast and a key of its own: all that paths may name."""
    [group_id] = await api.grow(FIRST, 1)
    await api.grow(SECOND, 0)
    broadcast_id = await planned(api, [group_id], bot_ids=[FIRST])
    key = await api.make_key("groups:read", bot_ids=[FIRST])
    own = await api.make_key("schedules:write", bot_ids=[FIRST])
    schedule = (await api.ask("POST", "/api/schedules", key=own, json=SCHEDULE)).json()
    own = await api.make_key("webhooks:write", bot_ids=[FIRST])
    webhook = (await api.ask("POST", "/api/webhooks", key=own, json=WEBHOOK)).json()
    async with api.db.transaction() as tx:
        revision_id = await revisions.create(tx, broadcast_id, "edit", priority=5, content={}, created_by="key:test")
    key_of_first = await api.make_key("messages:write", bot_ids=[FIRST])
    uploaded = await api.ask("POST", "/api/media", key=key_of_first, files={"file": ("b.txt", b"secret", "text/plain")})
    return {
        "{media_id}": str(uploaded.json()["media_id"]),
        "{broadcast_id}": str(broadcast_id),
        "{revision_id}": str(revision_id),
        "{schedule_id}": str(schedule["schedule_id"]),
        "{webhook_id}": str(webhook["webhook_id"]),
        "{group_id}": str(group_id),
        "{bot_id}": str(FIRST),
        "{key_id}": key.split("_")[2],
    }


async def ask(api: Api, operation: Operation, names: dict[str, str], key: str) -> httpx.Response:
    path = operation.path
    for name, value in names.items():
        path = path.replace(name, value)
    if operation.name == "upload_media":
        return await api.ask(operation.method, path, key=key, files={"file": ("a.txt", b"hello", "text/plain")})
    body = BODIES[operation.name] if operation.has_body else None
    return await api.ask(operation.method, path, key=key, json=body)


def check(answer: httpx.Response, operation: Operation, description: dict[str, Any]) -> None:
    """The answer is one that the description names, with the fields that it promises and no others."""
    promised = operation.answers[str(answer.status_code)]
    schema = promised["content"][answer.headers["content-type"]]["schema"]
    model = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    assert set(model["required"]) <= set(answer.json()), operation.name
    if answer.is_success:
        assert set(answer.json()) == set(model["properties"]), operation.name
    assert len(answer.headers["x-trace-id"]) == 32


async def test_every_operation_under_api_asks_for_a_key() -> None:
    description = await described()
    under = {path for path in description["paths"] if path.startswith("/api/") and path != PATH}
    assert {operation.path for operation in operations(description)} == under


async def test_no_key_and_a_wrong_scope(api: Api) -> None:
    description, names = await described(), await stage(api)
    for operation in operations(description):
        wrong = "audit:read" if operation.scope != "audit:read" else "bots:read"
        for key, status in (("", 401), (await api.make_key(wrong), 403)):
            answer = await ask(api, operation, names, key)
            assert answer.status_code == status, operation.name
            check(answer, operation, description)


async def test_a_key_of_another_bot_finds_nothing(api: Api, telegram: Simulation) -> None:
    description, names = await described(), await stage(api)
    tables = ("bots", "groups", "broadcasts", "deliveries", "revisions")
    before = [await api.rows(table) for table in tables]
    for operation in operations(description):
        answer = await ask(api, operation, names, await api.make_key("*", bot_ids=[SECOND]))
        check(answer, operation, description)
        if operation.is_list:
            assert not strangers(answer.json()["items"]), operation.name
        elif "{" in operation.path:
            assert answer.status_code == 404, operation.name
        else:
            assert answer.status_code == BEYOND[operation.name], operation.name
    assert [await api.rows(table) for table in tables] == before


def strangers(items: list[dict[str, Any]]) -> list[Any]:
    """What is neither of the second bot nor made by a key of it."""
    return [i for i in items if i.get("bot_id") == FIRST or "broadcast_id" in i or FIRST in (i.get("bot_ids") or [])]


async def test_a_key_for_everything_is_answered_as_described(api: Api, telegram: Simulation) -> None:
    description, names = await described(), await stage(api)
    for operation in operations(description):
        key = await api.make_key("*")
        answer = await ask(api, operation, names, key)
        check(answer, operation, description)
        allowed = answer.status_code == 409 if operation.name in AFTER_CANCEL else answer.is_success
        assert allowed, f"{operation.name}: {answer.text}"


async def test_ids_of_others_answer_as_ids_that_never_were(api: Api, telegram: Simulation) -> None:
    description, names = await described(), await stage(api)
    nothing = {name: "zzzzzzzzzzzz" if name == "{key_id}" else "999" for name in names}
    key = await api.make_key("*", bot_ids=[SECOND], burst=1000)
    for operation in operations(description):
        if "{" in operation.path:
            answers = [await ask(api, operation, each, key) for each in (names, nothing)]
            bodies = [{k: v for k, v in answer.json().items() if k != "trace_id"} for answer in answers]
            assert bodies[0] == bodies[1], operation.name
