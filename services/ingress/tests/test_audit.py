"""The audit trail by filters: each alone and together, over pages, and never more than the key may see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.store import audit
from common.store.audit import Entry

from .api import FIRST, SECOND, Api

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENTRIES = [
    ("key:AAAAAAAAAAAA", "broadcast.create", "broadcast:1", None),
    ("key:AAAAAAAAAAAA", "broadcast.pause", "broadcast:1", [FIRST]),
    ("cli:ops", "broadcast.pause", "broadcast:12", [SECOND]),
    ("cli:ops", "key.revoke", "key:AAAAAAAAAAAA", None),
    ("telegram:1", "group.lost", "group:1", [FIRST]),
]


@pytest.fixture
async def trail(api: Api) -> Api:
    """An entry an hour from noon on; `api`'s own ones are younger."""
    async with api.db.transaction() as tx:
        for hour, (actor, action, thing, bot_ids) in enumerate(ENTRIES):
            await audit.record(tx, Entry(actor, action, thing, bot_ids=bot_ids))
            await tx.execute("ALTER TABLE audit DISABLE TRIGGER audit_append_only")
            await tx.execute(
                "UPDATE audit SET at = $1 WHERE audit_id = (SELECT max(audit_id) FROM audit)",
                NOON + timedelta(hours=hour),
            )
            await tx.execute("ALTER TABLE audit ENABLE TRIGGER audit_append_only")
    return api


async def found(api: Api, key: str | None = None, **wanted: Any) -> list[int]:
    """Which of ENTRIES, over pages of one."""
    places, cursor = [], None
    while True:
        params = {"until": (NOON + timedelta(days=1)).isoformat(), "limit": 1} | wanted
        answer = await api.ask("GET", "/api/audit", key=key, params=params | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        places += [ENTRIES.index((e["actor"], e["action"], e["object"], _bots(e))) for e in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return places


def _bots(entry: dict[str, Any]) -> list[int] | None:
    return next(e[3] for e in ENTRIES if e[:3] == (entry["actor"], entry["action"], entry["object"]))


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"key_id": "AAAAAAAAAAAA"}, [1, 0]),
        ({"actor": "cli:ops"}, [3, 2]),
        ({"action": "broadcast.pause"}, [2, 1]),
        ({"kind": "broadcast"}, [2, 1, 0]),
        ({"kind": "broadcast", "id": "1"}, [1, 0]),
        ({"kind": "webhook"}, []),
        ({"since": (NOON + timedelta(hours=1)).isoformat(), "until": (NOON + timedelta(hours=3)).isoformat()}, [2, 1]),
        ({"since": NOON.isoformat(), "actor": "cli:ops", "kind": "key"}, [3]),
        ({"key_id": "AAAAAAAAAAAA", "actor": "cli:ops"}, []),
    ],
)
async def test_filters_narrow_together_over_pages(trail: Api, wanted: dict[str, str], places: list[int]) -> None:
    assert await found(trail, **wanted) == places


async def test_a_filter_that_is_none_is_refused_and_the_right_ones_named(trail: Api) -> None:
    answer = await trail.ask("GET", "/api/audit", params={"knd": "broadcast", "limit": 1})
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["in"], error["at"]) == (422, "query", "knd")
    there = "action, actor, cursor, id, key_id, kind, limit, since, until"
    assert error["what"] == f"is no parameter here; there are {there}"
    one = await trail.ask("GET", "/api/broadcasts/1?state=running")
    assert (one.status_code, one.json()["errors"][0]["what"]) == (422, "is no parameter here")


async def test_a_key_stands_for_its_rotation(trail: Api) -> None:
    made = (await trail.ask("POST", "/api/keys", json={"name": "x", "scopes": ["groups:read"]})).json()
    next_one = (await trail.ask("POST", f"/api/keys/{made['key_id']}:rotate", json={})).json()
    async with trail.db.transaction() as tx:
        await audit.record(tx, Entry(f"key:{next_one['owner']}", "x.y", "x:1"))
    answers = [
        (await trail.ask("GET", "/api/audit", params={"key_id": each["key_id"]})).json() for each in (made, next_one)
    ]
    assert [len(answer["items"]) for answer in answers] == [1, 1]


async def test_a_limited_key_finds_only_its_own(trail: Api) -> None:
    key = await trail.make_key("audit:read", bot_ids=[FIRST])
    assert await found(trail, key) == [4, 1]
    assert await found(trail, key, action="broadcast.pause") == [1]
    assert await found(trail, key, actor="cli:ops") == []


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"id": "1"}, "kind_missing"),
        ({"kind": "broadcas"}, "invalid_request"),
        ({"kind": "broadcast", "id": "1;2"}, "invalid_request"),
        ({"key_id": "short"}, "invalid_request"),
        ({"since": "yesterday"}, "invalid_request"),
        ({"since": "2026-03-01T12:00"}, "invalid_request"),
        ({"actor": "\0"}, "invalid_request"),
        ({"cursor": "eHl6"}, "invalid_cursor"),
    ],
)
async def test_filters_that_make_no_sense(api: Api, wanted: dict[str, str], code: str) -> None:
    answer = await api.ask("GET", "/api/audit", params=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
