"""What keeps a broadcast's messages back is said before and while it runs, and counts in its estimated end."""

from __future__ import annotations

from typing import Any

import pytest

from .api import FIRST, SECOND, Api
from .test_broadcasts import planned, settled

HOUR = 3600
# A window of an hour that opens in two hours, by the database's clock.
CLOSED = """UPDATE groups SET window_from = (now() AT TIME ZONE 'UTC' + interval '2 h')::time,
    window_to = (now() AT TIME ZONE 'UTC' + interval '3 h')::time WHERE group_id = $1"""


async def said(api: Api, ids: list[int]) -> tuple[dict[str, int], Any, Any]:
    """Of a dry run; the real request says the same. Last what is sent first: when that ends which nothing holds."""
    body = {"message": {"type": "text", "text": "hello"}, "targets": {"group_ids": ids}}
    answers = [
        (await api.ask("POST", path, json=body)).json()
        for path in ("/api/send_messages?dry_run=true", "/api/send_messages")
    ]
    assert answers[0]["held_by_reason"] == answers[1]["held_by_reason"]
    first = answers[0]
    return first["held_by_reason"], first["eta_seconds"], first["eta_unheld_seconds"]


async def run(api: Api, sql: str, *values: object) -> None:
    async with api.db.transaction() as tx:
        await tx.execute(sql, *values)


@pytest.mark.parametrize("sql", ["SET enabled = false", "SET state = 'revoked'"])
async def test_a_bot_that_is_off_has_no_end(api: Api, sql: str) -> None:
    ids = await api.grow(FIRST, 2) + await api.grow(SECOND, 3)
    await run(api, f"UPDATE bots {sql} WHERE bot_id = $1", SECOND)
    assert await said(api, ids) == ({"bot_off": 3}, None, 1)
    assert await said(api, ids[:2]) == ({}, 1, 1), "no concern of others"


async def test_a_window_that_is_closed_is_waited_for(api: Api) -> None:
    ids = await api.grow(FIRST, 2)
    await run(api, CLOSED, ids[0])
    held, eta, unheld = await said(api, ids)
    assert (held, unheld) == ({"later": 1}, 1), "one group's night says nothing of the others"
    assert eta == pytest.approx(2 * HOUR, abs=60)
    assert (await said(api, ids[:1]))[2] is None


async def test_a_flood_is_waited_for_and_its_rate_counts(api: Api) -> None:
    ids = await api.grow(FIRST, 60)
    await run(api, "UPDATE bots SET flood_until = now() + interval '65 s' WHERE bot_id = $1", FIRST)
    held, eta, unheld = await said(api, ids)
    assert (held, unheld) == ({"flood": 60}, None)
    assert eta == pytest.approx(67, abs=1)
    await run(api, "UPDATE bots SET flood_until = NULL, learned = 15, learned_at = now() WHERE bot_id = $1", FIRST)
    assert await said(api, ids) == ({}, pytest.approx(4, abs=1), pytest.approx(4, abs=1))


async def test_a_running_broadcast_says_what_it_waits_for(api: Api) -> None:
    broadcast_id = await planned(api, await api.grow(FIRST, 4))
    await settled(api, broadcast_id, "sent", *["pending"] * 3, final="running")
    await run(api, "UPDATE deliveries SET not_before = now() + interval '1 h' WHERE delivery_id = $1", 4)

    async def shown() -> tuple[dict[str, int], Any, Any]:
        found = (await api.ask("GET", f"/api/broadcasts/{broadcast_id}")).json()
        return found["held_by_reason"], found["eta_seconds"], found["eta_unheld_seconds"]

    assert await shown() == ({"later": 1}, pytest.approx(HOUR, abs=60), 1)
    await run(api, "UPDATE bots SET enabled = false WHERE bot_id = $1", FIRST)
    assert await shown() == ({"bot_off": 3}, None, None)
