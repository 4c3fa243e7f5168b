"""`Idempotency-Key`: one effect, one answer, whoever asks how often and whatever breaks."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from common.errors import StoreUnavailable
from common.store import broadcasts, outbox

from .api import FIRST, SECOND, Api

KEY = {"Idempotency-Key": "order 7".replace(" ", "-")}


async def sent(api: Api) -> int:
    return len(await api.rows("broadcasts"))


async def test_the_same_request_again_gets_the_same_answer_and_no_second_effect(api: Api) -> None:
    await api.grow(FIRST, 1)
    first, second = await api.send(headers=KEY), await api.send(headers=KEY)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert first.headers["x-trace-id"] != second.headers["x-trace-id"]
    assert await sent(api) == 1


async def test_another_body_or_query_under_the_key_is_refused(api: Api) -> None:
    await api.grow(FIRST, 1)
    await api.send(headers=KEY)
    answer = await api.send(headers=KEY, priority=6)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await sent(api) == 1


async def test_a_dry_run_neither_uses_nor_takes_the_key(api: Api) -> None:
    await api.grow(FIRST, 1)
    body = {"message": {"type": "text", "text": "x"}, "targets": {"all": True}}
    assert (await api.ask("POST", "/api/send_messages?dry_run=1", json=body, headers=KEY)).status_code == 202
    assert (await api.send(headers=KEY)).json()["broadcast_id"] == 1


async def test_keys_belong_to_an_owner_and_a_route(api: Api) -> None:
    await api.grow(FIRST, 1)
    other = await api.make_key("*")
    answers = [await api.send(headers=KEY), await api.send(headers=KEY, key=other)]
    answers.append(await api.ask("POST", "/api/broadcasts/1:cancel", headers=KEY))
    answers.append(await api.ask("POST", "/api/broadcasts/2:cancel", headers=KEY))
    assert [answer.status_code for answer in answers] == [202, 202, 200, 200]


async def test_a_rotated_key_is_the_same_owner(api: Api) -> None:
    await api.grow(FIRST, 1)
    key = await api.make_key("*")
    key_id = key.split("_")[2]
    successor = (await api.ask("POST", f"/api/keys/{key_id}:rotate", json={})).json()["key"]
    first, second = await api.send(headers=KEY, key=key), await api.send(headers=KEY, key=successor)
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"


async def test_nothing_is_kept_of_a_request_that_is_not_valid(api: Api) -> None:
    await api.grow(FIRST, 1)
    assert (await api.send(headers=KEY, message={"type": "text", "text": ""})).status_code == 422
    assert await api.rows("idempotent_results") == []
    assert (await api.send(headers=KEY)).status_code == 202


async def test_a_refusal_is_kept_too(api: Api) -> None:
    first = await api.send(headers=KEY)
    assert (first.status_code, first.json()["code"]) == (422, "no_recipients")
    await api.grow(FIRST, 1)
    second = await api.send(headers=KEY)
    assert second.content == first.content
    assert await sent(api) == 0


async def test_many_at_once_have_one_effect(api: Api) -> None:
    await api.grow(FIRST, 1)
    answers = await asyncio.gather(*(api.send(headers=KEY) for _ in range(20)))
    fine = {answer.content for answer in answers if answer.status_code == 202}
    assert len(fine) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert await sent(api) == 1


async def test_a_concurrent_one_is_told_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.grow(FIRST, 1)
    inside, go_on, real = asyncio.Event(), asyncio.Event(), outbox.add

    async def slow(*args: Any, **options: Any) -> None:
        inside.set()
        await go_on.wait()
        await real(*args, **options)

    monkeypatch.setattr(outbox, "add", slow)
    first = asyncio.create_task(api.send(headers=KEY))
    await inside.wait()
    second = await api.send(headers=KEY)
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_in_progress")
    go_on.set()
    assert (await first).status_code == 202
    assert (await api.send(headers=KEY)).content == (await first).content


async def test_a_surprise_is_kept_and_says_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.grow(FIRST, 1)

    async def broken(*_: Any, **__: Any) -> int:
        raise RuntimeError("SELECT secret FROM insides")

    monkeypatch.setattr(broadcasts, "create", broken)
    first = await api.send(headers=KEY)
    assert first.status_code == 500
    assert "insides" not in first.text
    assert "RuntimeError" not in first.text
    monkeypatch.undo()
    assert (await replayed(api)).content == first.content
    assert await sent(api) == 0


async def replayed(api: Api) -> httpx.Response:
    answer = await api.ask(
        "POST",
        "/api/send_messages",
        json={"message": {"type": "text", "text": "hello"}, "targets": {"all": True}},
        headers=KEY,
    )
    assert answer.headers["idempotent-replayed"] == "true"
    return answer


async def test_what_the_database_could_not_do_is_not_kept(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no result: the next try finds out what is true, and does it."""
    await api.grow(FIRST, 1)
    real = outbox.add

    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(outbox, "add", away)
    answer = await api.send(headers=KEY)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    monkeypatch.setattr(outbox, "add", real)
    assert (await api.send(headers=KEY)).status_code == 202
    assert await sent(api) == 1


@pytest.mark.parametrize(("length", "status"), [(255, 202), (256, 422)])
async def test_a_key_has_at_most_255_characters(api: Api, length: int, status: int) -> None:
    await api.grow(SECOND, 1)
    assert (await api.send(headers={"Idempotency-Key": "k" * length})).status_code == status
