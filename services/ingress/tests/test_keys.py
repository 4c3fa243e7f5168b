"""Keys by API and by the operators' verb: made, rotated, revoked, and never more than their maker has."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest
from common.__main__ import main

from .api import FIRST, SECOND, Api


async def make(api: Api, *, key: str | None = None, **body: Any) -> Any:
    return await api.ask("POST", "/api/keys", key=key, json={"name": "x", "scopes": ["groups:read"]} | body)


async def test_a_new_key_works_and_is_listed_without_itself(api: Api) -> None:
    made = await make(api)
    assert made.status_code == 201, made.text
    assert (await api.ask("GET", "/api/groups", key=made.json()["key"])).status_code == 200
    listed = (await api.ask("GET", "/api/keys")).json()["items"]
    assert made.json()["key_id"] in {item["key_id"] for item in listed}
    assert not any("key" in item for item in listed)


async def test_a_key_for_a_bot_that_is_not_there_is_refused(api: Api) -> None:
    """Limited to a misspelt number it would see nothing, and say nothing of why."""
    await api.grow(FIRST, 0)
    answer = await make(api, bot_ids=[FIRST, SECOND])
    assert (answer.status_code, answer.json()["code"], answer.json()["bot_ids"]) == (422, "unknown_bot", [SECOND])
    assert (await make(api, bot_ids=[FIRST])).status_code == 201


async def test_nobody_gives_more_than_they_have(api: Api) -> None:
    await api.grow(FIRST, 0)
    maker = await api.make_key("keys:write", "groups:write", bot_ids=[FIRST])
    wishes: list[tuple[dict[str, Any], int]] = [
        ({"bot_ids": [FIRST]}, 201),
        ({"bot_ids": [FIRST], "scopes": ["messages:write"]}, 403),
        ({"bot_ids": [FIRST], "scopes": ["*"]}, 403),
        ({"bot_ids": [SECOND]}, 403),
        ({"bot_ids": [FIRST, SECOND]}, 403),
        ({}, 403),
    ]
    assert [(await make(api, key=maker, **wish)).status_code for wish, _ in wishes] == [status for _, status in wishes]


async def test_a_rotation_has_two_live_keys_with_one_owner(api: Api) -> None:
    first = (await make(api)).json()
    path = f"/api/keys/{first['key_id']}:rotate"
    second = await api.ask("POST", path, json={"overlap_seconds": 3600})
    assert (second.status_code, second.json()["owner"]) == (201, first["owner"])
    for key in (first["key"], second.json()["key"]):
        assert (await api.ask("GET", "/api/groups", key=key)).status_code == 200
    third = await api.ask("POST", path, json={})
    assert (third.status_code, third.json()["code"]) == (409, "already_rotating")
    await api.ask("DELETE", f"/api/keys/{first['key_id']}")
    again = await api.ask("POST", path, json={})
    assert (again.status_code, again.json()["code"]) == (409, "key_not_live")
    assert (await api.ask("POST", f"/api/keys/{second.json()['key_id']}:rotate", json={})).status_code == 201


async def test_a_rotation_can_end_the_old_key_at_once(api: Api) -> None:
    first = (await make(api)).json()
    await api.ask("POST", f"/api/keys/{first['key_id']}:rotate", json={"overlap_seconds": 0})
    assert (await api.ask("GET", "/api/groups", key=first["key"])).status_code == 401


async def test_a_key_can_not_make_itself_stronger_by_rotating_another(api: Api) -> None:
    strong = (await make(api, scopes=["*"])).json()
    weak = await api.make_key("keys:write")
    assert (await api.ask("POST", f"/api/keys/{strong['key_id']}:rotate", key=weak, json={})).status_code == 403


async def test_a_limited_key_neither_sees_nor_ends_wider_ones(api: Api) -> None:
    wide = (await make(api)).json()
    limited = await api.make_key("keys:write", bot_ids=[FIRST])
    listed = (await api.ask("GET", "/api/keys", key=limited)).json()["items"]
    assert [item["bot_ids"] for item in listed] == [[FIRST]]
    assert (await api.ask("DELETE", f"/api/keys/{wide['key_id']}", key=limited)).status_code == 404


async def test_each_change_is_in_the_trail_and_the_trail_can_not_be_changed(api: Api) -> None:
    made = (await make(api)).json()
    await api.ask("DELETE", f"/api/keys/{made['key_id']}")
    entries = (await api.ask("GET", "/api/audit?limit=2")).json()["items"]
    assert [entry["action"] for entry in entries] == ["key.revoke", "key.create"]
    assert entries[0]["before"]["revoked_at"] is None
    assert entries[0]["after"]["revoked_at"] is not None
    for statement in ("UPDATE audit SET actor = 'me'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with api.db.transaction() as tx:
                await tx.execute(statement)


def test_the_verbs_of_the_command_line(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*words: str) -> list[Any]:
        assert main(["key", *words]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    [made] = run("new", "--name", "shop", "--scope", "messages:write", "--bot", "7", "--days", "1")
    assert made["key"].startswith("mst_live_")
    [second] = run("rotate", made["key_id"])
    [ended] = run("revoke", made["key_id"])
    assert ended["revoked_at"]
    assert {row["key_id"] for row in run("list")} == {made["key_id"], second["key_id"]}
    assert main(["key", "revoke", "nothing"]) == 1
    assert capsys.readouterr().err == "muster: there is no such key\n"
