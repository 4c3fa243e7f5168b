"""Random target sets: who gets a message is who was chosen, each once, as Telegram's log and the ledger agree."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from common.ids import BotId, ChatId
from common.jobs import PlanBroadcast
from common.records import Bot
from common.store import bots, broadcasts, groups
from common.store.broadcasts import Targets
from common.telegram.secrets import TokenVault
from common.testing.polling import eventually

from .conftest import Direct, Fleet

SMALL = [(1, 60), (3, 150), (20, 300)]
LARGE = [(1, 5_000), (3, 5_000), (20, 5_000)]
TOGETHER = 600  # sends a second of all bots: pacing is another test's subject
PAGE = 1_000  # chats or effects in one answer
TAGS = ["north", "south", "east", "west", "test"]
FAULTS = ["http_502_html", "timeout_before", "cut", "sent_deleted", "http_429", "unknown_fields"]


@dataclass
class Town:
    """What the test knows of each group beside the database: its bot, its tags, and whether it can be sent to."""

    bots: dict[int, int] = field(default_factory=dict)
    tags: dict[int, list[str]] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)


async def settle_in(fleet: Fleet, vault: TokenVault, rng: random.Random, *, bot_count: int, count: int) -> Town:
    """Bots with unequal shares of the groups, some of which can't be sent to."""
    town = Town()
    shares = Counter(rng.choices(range(bot_count), k=count))
    for nth in range(bot_count):
        made = await fleet.sim.admin("POST", "bots")
        bot_id = BotId(made["id"])
        sealed, key = vault.seal(bot_id, made["token"])
        async with fleet.db.transaction() as tx:
            await bots.save(tx, Bot(bot_id, made["username"], "Muster", sealed, key))
            await tx.execute("UPDATE bots SET per_second = $1 WHERE bot_id = $2", TOGETHER // bot_count, bot_id)
        for first in range(0, shares[nth], PAGE):
            await build(fleet, town, rng, bot_id, min(PAGE, shares[nth] - first))
    async with fleet.db.transaction() as tx:
        await tx.execute("ANALYZE groups")
    return town


async def build(fleet: Fleet, town: Town, rng: random.Random, bot_id: BotId, count: int) -> None:
    members = [{"id": bot_id, "status": "administrator"}]
    answer = await fleet.sim.admin("POST", "chats", type="supergroup", title="g", count=count, bots=members)
    async with fleet.db.transaction() as tx:
        for chat in answer["chats"]:
            tags = rng.sample(TAGS, rng.choice([0, 1, 1, 2]))
            group_id = await groups.register(tx, bot_id, ChatId(chat["id"]), title="g", kind="supergroup", tags=tags)
            fleet.groups[group_id], town.bots[group_id], town.tags[group_id] = chat["id"], bot_id, tags
            if rng.random() < 0.95:
                town.open.add(group_id)
        shut = [group_id for group_id in town.bots if group_id not in town.open]
        half = len(shut) // 2
        await tx.execute(
            "UPDATE groups SET final_message_allowed = false WHERE group_id = ANY($1::bigint[])", shut[:half]
        )
        await tx.execute("UPDATE groups SET out_reason = 'test' WHERE group_id = ANY($1::bigint[])", shut[half:])


def choose(town: Town, rng: random.Random) -> tuple[Targets, set[int]]:
    """Random targets, and whom they mean."""
    everybody = sorted(town.bots)
    ids = rng.sample(everybody, rng.randint(1, len(everybody))) if rng.random() < 0.5 else []
    tags = rng.sample(TAGS, rng.randint(1, 3)) if rng.random() < 0.5 else []
    whole = not (ids or tags)
    without = rng.sample(everybody, len(everybody) // 10) if rng.random() < 0.5 else []
    untagged = rng.sample(TAGS, 1) if rng.random() < 0.3 else []
    some = sorted(set(town.bots.values()))
    within = rng.sample(some, rng.randint(1, len(some))) if rng.random() < 0.3 else None
    meant = _meant(town, (set(ids), set(tags), set(without), set(untagged)), within, whole=whole)
    return Targets(whole, ids + ids[:3], tags, without, untagged, within), meant


def _meant(
    town: Town, sets: tuple[set[int], set[str], set[int], set[str]], within: list[int] | None, *, whole: bool
) -> set[int]:
    ids, tags, without, untagged = sets
    return {
        group
        for group in town.open
        if (whole or group in ids or tags & set(town.tags[group]))
        and group not in without
        and not untagged & set(town.tags[group])
        and (within is None or town.bots[group] in within)
    }


async def delivered(fleet: Fleet, text: str) -> Counter[int]:
    """Messages with that text, by chat."""
    found, since = Counter[int](), 0
    while True:
        page = await fleet.sim.admin("GET", f"effects?method=sendMessage&limit={PAGE}&since={since}")
        found.update(e["chat_id"] for e in page["effects"] if e["status"] == "ok" and e["params"].get("text") == text)
        if len(page["effects"]) < PAGE:
            return found
        since = page["next"]


async def compare(fleet: Fleet, vault: TokenVault, bot_count: int, count: int, *, times: int, draws: int = 1) -> None:
    """Each broadcast: the ledger's groups are those that were meant, and its states are what Telegram did."""
    rng = random.Random(bot_count)  # noqa: S311 (repeatable)
    town = await settle_in(fleet, vault, rng, bot_count=bot_count, count=count)
    rules = [{"method": "sendMessage", "kind": kind, "probability": 0.02, "retry_after": 1} for kind in FAULTS]
    await fleet.sim.admin("PUT", "faults", rules=rules)
    for nth in range(times):
        targets, meant = max((choose(town, rng) for _ in range(draws)), key=lambda each: len(each[1]))
        content: dict[str, Any] = {"method": "sendMessage", "params": {"text": f"broadcast {nth}"}}
        async with fleet.db.transaction() as tx:
            number = await broadcasts.create(tx, targets, content)
            assert (await broadcasts.count(tx, targets)).reached == len(meant)
        await fleet.handle(PlanBroadcast(broadcast_id=number))
        await eventually(lambda number=number: fleet.ended(number), within=240)  # type: ignore[misc]
        ledger, copies = await fleet.ledger(number), await delivered(fleet, f"broadcast {nth}")
        assert set(ledger) == {fleet.groups[group] for group in meant}
        assert set(ledger.values()) <= {"sent", "unknown"}
        assert max(copies.values(), default=0) <= 1
        assert {chat for chat, state in ledger.items() if state == "sent"} <= set(copies)
        assert set(copies) <= set(ledger)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("bot_count", "count"), SMALL)
async def test_random_target_sets(fleet: Fleet, brain: Direct, vault: TokenVault, bot_count: int, count: int) -> None:
    await compare(fleet, vault, bot_count, count, times=4)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("bot_count", "count"), LARGE)
async def test_large_random_target_sets(
    fleet: Fleet, brain: Direct, vault: TokenVault, bot_count: int, count: int
) -> None:
    await compare(fleet, vault, bot_count, count, times=1, draws=9)
