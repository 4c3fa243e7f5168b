"""API keys: what opens, what does not, how often, and that nothing of them is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from common.api_key import ApiKey
from common.clock import utc_now
from common.store.pool import Pool

from .api import Api

PATH = "/api/broadcasts"


async def test_a_good_key_opens_and_every_answer_has_a_trace_id(api: Api) -> None:
    good, bad = await api.ask("GET", PATH), await api.ask("GET", PATH, key="")
    assert (good.status_code, bad.status_code) == (200, 401)
    assert bad.headers["content-type"] == "application/problem+json"
    assert bad.headers["www-authenticate"] == 'Bearer realm="muster"'
    assert bad.json()["trace_id"] == bad.headers["x-trace-id"] != good.headers["x-trace-id"]


async def test_every_wrong_key_gets_the_same_answer(api: Api) -> None:
    stranger, truth = ApiKey.new("test").text, api.key
    answers = [await api.ask("GET", PATH, key=key) for key in (stranger, truth[:-1] + "!", truth + "x", "x", "")]
    bodies = [{k: v for k, v in answer.json().items() if k != "trace_id"} for answer in answers]
    assert [answer.status_code for answer in answers] == [401] * 5
    assert all(body == bodies[0] for body in bodies)


async def test_a_key_with_a_wrong_checksum_costs_no_look_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(Pool, "transaction", refuse)
    last = "a" if api.key[-1] != "a" else "b"
    assert (await api.ask("GET", PATH, key=api.key[:-1] + last)).status_code == 401


async def test_a_key_elsewhere_than_in_the_header_is_none(api: Api) -> None:
    answer = await api.ask(
        "GET", f"{PATH}?key={api.key}&access_token={api.key}", key="", headers={"X-API-Key": api.key}
    )
    assert answer.status_code == 401


async def test_a_revoked_key_is_dead_at_once_and_an_expired_one_too(api: Api) -> None:
    revoked = await api.make_key("*")
    expired = await api.make_key("*", expires_at=utc_now() - timedelta(seconds=1))
    assert (await api.ask("GET", PATH, key=revoked)).status_code == 200
    key = ApiKey.parse(revoked)
    assert key is not None
    assert (await api.ask("DELETE", f"/api/keys/{key.key_id}")).status_code == 200
    assert [(await api.ask("GET", PATH, key=k)).status_code for k in (revoked, expired)] == [401, 401]


async def test_a_burst_is_429_with_the_seconds_to_wait(api: Api) -> None:
    key = await api.make_key("*", per_second=0.5, burst=5)
    answers = await asyncio.gather(*(api.ask("GET", PATH, key=key) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 7
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "2"
    assert refused.json()["code"] == "rate_limited"


async def test_tokens_come_back_with_time(api: Api) -> None:
    key = await api.make_key("*", per_second=1, burst=1)
    assert [(await api.ask("GET", PATH, key=key)).status_code for _ in range(2)] == [200, 429]
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE api_buckets SET filled_at = filled_at - interval '1 h'")
    assert [(await api.ask("GET", PATH, key=key)).status_code for _ in range(2)] == [200, 429]


async def test_last_use_is_written_once_a_minute(api: Api) -> None:
    await api.ask("GET", PATH)
    [before] = await api.rows("api_keys")
    await api.ask("GET", PATH)
    assert (await api.rows("api_keys"))[0]["last_used_at"] == before["last_used_at"] is not None


async def test_a_missing_scope_is_403_and_writing_holds_reading(api: Api) -> None:
    key = await api.make_key("groups:write")
    assert (await api.ask("GET", "/api/groups", key=key)).status_code == 200
    answer = await api.ask("GET", PATH, key=key)
    assert (answer.status_code, answer.json()["scope"]) == (403, "broadcasts:read")


async def test_no_key_is_in_the_database(api: Api) -> None:
    made = await api.ask("POST", "/api/keys", json={"name": "x", "scopes": ["groups:read"]})
    secret = made.json()["key"]
    await api.ask("POST", f"/api/keys/{made.json()['key_id']}:rotate", json={})
    tables = ("api_keys", "api_buckets", "audit", "idempotent_results", "outbox")
    dump = "".join([str(await api.rows(table)) for table in tables])
    assert secret.rpartition("_")[2][:20] not in dump
    assert api.key.rpartition("_")[2][:20] not in dump


@pytest.mark.parametrize("text", ["", "mst_", "mst_live_short_x", "mst_live_" + "a" * 12 + "_" + "a" * 49, "ключ"])
def test_what_never_was_a_key_is_none(text: str) -> None:
    assert ApiKey.parse(text) is None


def test_a_key_reads_back_and_every_changed_letter_shows() -> None:
    key = ApiKey.new("live")
    assert ApiKey.parse(key.text) == key
    changed = (key.text[:i] + ("0" if key.text[i] != "0" else "1") + key.text[i + 1 :] for i in range(len(key.text)))
    assert not any(ApiKey.parse(text) for text in changed)
