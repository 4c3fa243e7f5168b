"""What webhooks are told of sends: each outcome that they want, in the transaction that makes it true."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from common.store import group_states, groups, reaping, webhooks
from common.store.events import TELL
from common.store.groups import Note
from common.store.webhooks import Sealed
from common.testing.polling import eventually

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids

pytestmark = pytest.mark.timeout(60)
ALL = [
    "broadcast.started", "broadcast.finished", "broadcast.paused", "delivery.failed", "delivery.unknown",
    "group.out_of_sending",
]  # fmt: skip


async def listen(fleet: Fleet, *kinds: str, bots: list[int] | None = None) -> int:
    async with fleet.db.transaction() as tx:
        webhook_id = await webhooks.new_id(tx)
        await webhooks.add(
            tx, webhook_id, "https://a.shop.com/", Sealed(b"x", "1"), kinds=list(kinds), bot_ids=bots, enabled=True,
            created_by="key:test",
        )  # fmt: skip
    return webhook_id


async def rows(fleet: Fleet, table: str) -> list[dict[str, Any]]:
    async with fleet.db.transaction() as tx:
        return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]  # noqa: S608 (our own names)


async def kinds(fleet: Fleet) -> Counter[str]:
    return Counter(event["kind"] for event in await rows(fleet, "events"))


async def finished(fleet: Fleet) -> dict[str, Any] | None:
    found = [event["data"] for event in await rows(fleet, "events") if event["kind"] == "broadcast.finished"]
    return found[0] if found else None


async def fail(fleet: Fleet, description: str, error_code: int = 403) -> None:
    rule = {"method": "sendMessage", "kind": "error", "error_code": error_code, "description": description}
    await fleet.sim.admin("PUT", "faults", rules=[rule])


async def test_a_broadcast_with_failures_is_told_from_its_start_to_its_end(fleet: Fleet, brain: Direct) -> None:
    await listen(fleet, *ALL)
    ids = await fleet.grow(5, (await bot_ids(fleet))[0])
    await fail(fleet, "Forbidden: bot was kicked from the supergroup chat")
    broadcast_id = await fleet.broadcast(ids)
    data = await eventually(lambda: finished(fleet))
    assert data == {
        "broadcast_id": broadcast_id, "state": "done", "reason": None, "total": 5, "deliveries": {"failed": 5},
    }  # fmt: skip
    assert await kinds(fleet) == {"broadcast.started": 1, "delivery.failed": 5, "broadcast.finished": 1}
    [one, *_] = [event for event in await rows(fleet, "events") if event["kind"] == "delivery.failed"]
    assert one["data"] | {"delivery_id": 0, "group_id": 0} == {
        "delivery_id": 0, "broadcast_id": broadcast_id, "group_id": 0, "bot_id": one["bot_ids"][0], "state": "failed",
        "reason": "gone", "attempts": 1, "message_id": None,
    }  # fmt: skip
    assert len(await rows(fleet, "webhook_messages")) == 7
    reasons = {row["reason"] for row in await rows(fleet, "deliveries")}  # where Telegram's words stay
    assert reasons == {"gone: 403 Forbidden: bot was kicked from the supergroup chat"}


async def test_without_a_listener_nothing_is_written(fleet: Fleet, brain: Direct) -> None:
    first, second = await bot_ids(fleet)
    await listen(fleet, *ALL, "delivery.sent", bots=[second])
    await listen(fleet, "group.out_of_sending")
    broadcast_id = await fleet.broadcast(await fleet.grow(5, first))
    await eventually(lambda: fleet.ended(broadcast_id))
    assert await rows(fleet, "events") == await rows(fleet, "webhook_messages") == []
    assert await rows(fleet, "webhook_waiting") == []


async def test_sends_wait_for_company_only_where_they_are_asked_for(fleet: Fleet, brain: Direct) -> None:
    first, second = await bot_ids(fleet)
    webhook_id = await listen(fleet, "delivery.sent", bots=[first])
    await listen(fleet, *ALL)
    ids = await fleet.grow(20, first) + await fleet.grow(10, second)
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: fleet.ended(broadcast_id), within=20)
    waiting = await rows(fleet, "webhook_waiting")
    assert {row["webhook_id"] for row in waiting} == {webhook_id}
    sent = [event for event in await rows(fleet, "events") if event["kind"] == "delivery.sent"]
    assert {row["event_id"] for row in waiting} == {event["event_id"] for event in sent}
    assert {event["data"]["bot_id"] for event in sent} == {first}
    assert len(sent) == 20
    assert all(event["data"]["message_id"] for event in sent)


async def test_an_unknown_end_is_told_whoever_finds_it(fleet: Fleet, brain: Direct) -> None:
    await listen(fleet, *ALL)
    ids = await fleet.grow(2, (await bot_ids(fleet))[0])
    await fleet.sim.admin("PUT", "faults", rules=[{"method": "sendMessage", "kind": "cut"}])
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: fleet.ended(broadcast_id))
    assert (await kinds(fleet))["delivery.unknown"] == 2
    async with fleet.db.transaction() as tx:  # and two whose sender is dead
        await tx.execute("UPDATE deliveries SET state = 'sending', owner = 'gone'")
        await reaping.orphans(tx, timedelta(seconds=8))
    unknown = [event["data"] for event in await rows(fleet, "events") if event["kind"] == "delivery.unknown"]
    assert Counter(data["reason"] for data in unknown) == {"unknown": 2, "sender died": 2}


async def test_a_content_error_is_told_without_telegrams_words_which_may_quote_the_message(
    fleet: Fleet, brain: Direct
) -> None:
    await listen(fleet, "broadcast.paused", "delivery.failed")
    ids = await fleet.grow(1, (await bot_ids(fleet))[0])
    await fail(fleet, "Bad Request: can't parse entities: near canary at byte offset 5", 400)
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: fleet.ended(broadcast_id))
    told = {event["kind"]: event["data"]["reason"] for event in await rows(fleet, "events")}
    assert told == {"delivery.failed": "content", "broadcast.paused": "content"}
    [delivery] = await rows(fleet, "deliveries")  # by the API they can be read
    assert "near canary" in delivery["reason"]


async def test_the_third_failure_in_a_row_is_told_once(fleet: Fleet) -> None:
    await listen(fleet, *ALL)
    bot_id = (await bot_ids(fleet))[0]
    [group_id] = await fleet.grow(1, bot_id)
    for _ in range(5):
        async with fleet.db.transaction() as tx:
            await groups.note(tx, [Note(group_id, bot_id, failed=True, reason="rights")])
    [event] = await rows(fleet, "events")
    assert (event["kind"], event["data"]["reason"]) == ("group.out_of_sending", "rights")
    [group] = await rows(fleet, "groups")
    assert (group["failures"], group["out_reason"]) == (5, "rights")


async def test_deliveries_that_a_lost_group_ends_are_told(fleet: Fleet) -> None:
    await listen(fleet, *ALL)
    bot_id = (await bot_ids(fleet))[0]
    [group_id] = await fleet.grow(1, bot_id)
    await fleet.broadcast([group_id])
    async with fleet.db.transaction() as tx:
        await group_states.fail_pending(tx, group_id, bot_id, "the group is lost")
    assert await kinds(fleet) == {"broadcast.started": 1, "delivery.failed": 1}


async def test_a_webhook_that_goes_meanwhile_stops_no_outcome(fleet: Fleet) -> None:
    """No foreign key, no lock: the outcome of a send waits for nobody who changes a webhook."""
    webhook_id = await listen(fleet, "probe")
    async with fleet.db.transaction() as changing:
        await changing.execute("DELETE FROM webhooks WHERE webhook_id = $1", webhook_id)
        async with fleet.db.transaction() as tx:
            await tx.execute("SET LOCAL lock_timeout = '1s'")
            sql = f"WITH told AS (SELECT 'probe' AS kind, NULL::bigint[] AS bot_ids, '{{}}'::jsonb AS data), {TELL} SELECT 1"  # noqa: E501 (our own words)
            await tx.execute(sql)
    assert len(await rows(fleet, "webhook_messages")) == 1
