"""Telegram refuses several chats of a bot: its bulk stops everywhere, others don't notice, and it goes on with half."""

from __future__ import annotations

from typing import Any

import pytest
from common.store import revisions
from common.testing.polling import eventually

from .conftest import Direct, Fleet

pytestmark = pytest.mark.timeout(60)
WAIT = 4  # seconds
CALLED_BACK = 1.0  # seconds: what was under way at the third 429


async def two_bots(fleet: Fleet) -> tuple[Any, Any]:
    first, second = [bot["id"] for bot in (await fleet.sim.admin("GET", "bots"))["bots"]]
    return first, second


async def calls(fleet: Fleet, bot_id: int, method: str = "sendMessage") -> list[dict[str, Any]]:
    path = f"effects?bot_id={bot_id}&method={method}"
    found: list[dict[str, Any]] = (await fleet.sim.admin("GET", path))["effects"]
    return found


async def learned(fleet: Fleet, bot_id: int) -> int | None:
    async with fleet.db.transaction() as tx:
        found: int | None = await tx.fetchval("SELECT learned FROM bots WHERE bot_id = $1", bot_id)
    return found


def refusing(bot_id: int, chats: list[int], method: str = "sendMessage") -> list[dict[str, Any]]:
    rule = {"method": method, "bot_id": bot_id, "kind": "http_429", "times": 1, "retry_after": WAIT}
    return [rule | {"chat_id": chat} for chat in chats]


async def test_three_refused_chats_stop_the_bot_and_nobody_else(fleet: Fleet, brain: Direct) -> None:
    stopped, other = await two_bots(fleet)
    ids = await fleet.grow(80, stopped)
    theirs = await fleet.grow(80, other)
    refused = [fleet.groups[ids[nth]] for nth in (3, 4, 5)]
    await fleet.sim.admin("PUT", "faults", rules=refusing(stopped, refused))
    broadcast_id = await fleet.broadcast(ids + theirs)
    await eventually(lambda: fleet.ended(broadcast_id), within=40)
    assert set((await fleet.ledger(broadcast_id)).values()) == {"sent"}
    seen = await calls(fleet, stopped)
    last = max(each["at"] for each in seen if each["error_code"] == 429)
    assert sum(each["error_code"] == 429 for each in seen) == 3
    assert [each for each in seen if last + CALLED_BACK < each["at"] < last + WAIT] == []
    then = sorted(each["at"] for each in seen if each["at"] >= last + WAIT)
    nearest = min(after - before for before, after in zip(then, then[15:], strict=False))
    assert nearest > 0.9, "fifteen a second"
    during = [e for e in await calls(fleet, other) if last <= e["at"] < last + WAIT]
    assert len(during) > 30, "the other bot goes on"
    assert (await learned(fleet, stopped), await learned(fleet, other)) == (15, None)


async def test_two_refused_chats_wait_alone(fleet: Fleet, brain: Direct) -> None:
    bot, _ = await two_bots(fleet)
    ids = await fleet.grow(80, bot)  # thirty at once with the refused ones anywhere among them, fifty after them
    refused = [fleet.groups[group] for group in ids[:2]]
    await fleet.sim.admin("PUT", "faults", rules=refusing(bot, refused))
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: fleet.ended(broadcast_id), within=30)
    assert await learned(fleet, bot) is None
    seen = await calls(fleet, bot)
    last = max(each["at"] for each in seen if each["error_code"] == 429)
    assert len([each for each in seen if last < each["at"] < last + WAIT]) > 30


async def test_deletions_are_counted_too(fleet: Fleet, brain: Direct) -> None:
    bot, _ = await two_bots(fleet)
    ids = await fleet.grow(4, bot)
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: fleet.ended(broadcast_id), within=10)
    refused = [fleet.groups[group] for group in ids[:3]]
    await fleet.sim.admin("PUT", "faults", rules=refusing(bot, refused, "deleteMessage"))
    async with fleet.db.transaction() as tx:
        await revisions.create(
            tx, broadcast_id, "recall", priority=revisions.RECALL_PRIORITY, content=None, created_by="t"
        )

    async def deleted() -> bool:
        return sum(each["status"] == "ok" for each in await calls(fleet, bot, "deleteMessage")) == 4

    await eventually(deleted, within=20)
    assert await learned(fleet, bot) == 15
