"""A bot's flood in PostgreSQL: counted over all processes, obeyed by all of them, and over by the database's clock."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from common.congestion import Refusal
from common.ids import BotId, ChatId
from common.store import bot_views, bots, broadcasts, congestion, deliveries, groups, slots
from common.store.broadcasts import Targets
from common.store.pool import Tx
from common.telemetry import metrics
from common.testing.builders import make_bot
from common.testing.postgres import Database

from .ledger_steps import AHEAD, shift
from .plans import FILLED, Explainer, filling

BOT, OTHER = BotId(1), BotId(2)
MINUTES = [timedelta(minutes=n) for n in range(5)]


@pytest.fixture(autouse=True)
async def fleet(db: Database) -> None:
    """Two bots of thirty a second."""
    async with db.transaction() as tx:
        for bot_id in (BOT, OTHER):
            await bots.save(tx, make_bot(bot_id=bot_id, username=f"bot{bot_id}"))


async def refuse(db: Database, *chats: int | None, seconds: float = 8, bot_id: BotId = BOT) -> None:
    """As one process that got these 429s together."""
    async with db.transaction() as tx:
        await congestion.note(tx, [Refusal(bot_id, chat, timedelta(seconds=seconds)) for chat in chats])


async def after(db: Database, passed: timedelta) -> None:
    async with db.transaction() as tx:
        await shift(tx, passed)
        for bot_id, kept in [(r["bot_id"], r["refusals"]) for r in await tx.fetch("SELECT * FROM bots")]:
            earlier = [
                each | {name: datetime.fromisoformat(each[name]) - passed for name in ("at", "until")} for each in kept
            ]
            await tx.execute("UPDATE bots SET refusals = $2 WHERE bot_id = $1", bot_id, earlier)


async def bulk(db: Database) -> dict[int, int]:
    """How many slots the pacer finds free, by bot."""
    async with db.transaction() as tx:
        return Counter(slot.bot_id for slot in await slots.free(tx, timedelta(seconds=5)))


async def test_three_chats_in_three_processes_are_the_bots_flood(db: Database) -> None:
    floods = metrics.BOT_FLOODS._value.get()
    await refuse(db, -1)
    await refuse(db, -2)
    await refuse(db, -2)
    assert await bulk(db) == {BOT: 30, OTHER: 30}
    await refuse(db, -3)
    assert await bulk(db) == {OTHER: 30}
    assert metrics.BOT_FLOODS._value.get() == floods + 1


async def test_what_three_processes_note_at_the_same_time_is_counted_together(db: Database) -> None:
    """None of them sees what the others have not committed: the row's lock makes them wait for it."""
    for _ in range(10):
        await asyncio.gather(*(refuse(db, chat) for chat in (-1, -2, -3)))
        assert await bulk(db) == {OTHER: 30}
        async with db.transaction() as tx:
            await tx.execute("UPDATE bots SET flood_until = NULL, learned = NULL, learned_at = NULL")


async def test_chats_one_after_the_other_are_not_the_bots_flood(db: Database) -> None:
    for chat in range(-9, 0):
        await refuse(db, chat)
        await after(db, timedelta(seconds=3))
    assert await bulk(db) == {BOT: 30, OTHER: 30}


async def test_nobody_waits_in_a_ring(db: Database) -> None:
    """Both have both bots' 429s; whoever comes first has both rows first."""
    async with db.transaction() as tx:
        await congestion.note(tx, [Refusal(BOT, -1, timedelta(seconds=8))])
        both = [Refusal(bot_id, -2, timedelta(seconds=8)) for bot_id in (OTHER, BOT)]

        async def others() -> None:
            async with db.transaction() as other:
                await congestion.note(other, both)

        waiting = asyncio.create_task(others())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await congestion.note(tx, [Refusal(OTHER, -1, timedelta(seconds=8))])
    await waiting


async def test_a_bot_that_is_not_there_any_more_is_nobodys_trouble(db: Database) -> None:
    await refuse(db, -1, -2, -3, bot_id=BotId(404))


async def test_half_of_the_slots_come_back_in_four_minutes(db: Database) -> None:
    await refuse(db, -1, -2, -3)
    await after(db, timedelta(seconds=8))
    found = []
    for _ in MINUTES:
        found.append((await bulk(db))[BOT])
        await after(db, timedelta(minutes=1))
    assert found == [15, 18, 22, 26, 30]
    assert (await bulk(db))[OTHER] == 30


async def test_a_flood_while_the_rate_comes_back_halves_what_there_is(db: Database) -> None:
    await refuse(db, -1, -2, -3)
    await after(db, timedelta(minutes=2, seconds=8))
    assert (await bulk(db))[BOT] == 22
    await refuse(db, -1, seconds=60)
    await after(db, timedelta(seconds=30))
    await refuse(db, -1, seconds=60)
    await after(db, timedelta(seconds=59))
    assert BOT not in await bulk(db), "what was under way has made it longer"
    await after(db, timedelta(seconds=1))
    assert (await bulk(db))[BOT] == 11, "and halved nothing again"


@pytest.mark.parametrize(("configured", "half"), [(1000, 500), (3, 1), (1, 1)])
async def test_every_rate_comes_back(db: Database, configured: int, half: int) -> None:
    async with db.transaction() as tx:
        await bots.change(tx, BOT, per_second=configured)
        await slots.provide(tx)
    await refuse(db, -1, seconds=60)
    await after(db, timedelta(seconds=60))
    assert (await bulk(db))[BOT] == half
    await after(db, timedelta(minutes=5, seconds=20))  # of three, two thirds are to come back
    assert (await bulk(db))[BOT] == configured


async def replies(db: Database, count: int) -> int:
    """How many of so many find a slot."""
    async with db.transaction() as tx:
        return len(await slots.take(tx, BOT, count, "replies"))


async def test_replies_are_a_trickle_in_a_flood_and_have_the_first_choice_of_half_the_slots_then(db: Database) -> None:
    await refuse(db, -1, -2, -3)
    async with db.transaction() as tx:
        assert timedelta(seconds=7) < (await congestion.stopped(tx, BOT) or timedelta()) <= timedelta(seconds=8)
        assert await congestion.stopped(tx, OTHER) is None
    assert await replies(db, 20) == 1
    assert await replies(db, 20) == 0
    await after(db, timedelta(seconds=8))
    assert await replies(db, 10) == 10
    assert (await bulk(db))[BOT] == 4, "the reply of the flood is not answered yet"


async def test_an_album_waits_for_no_more_slots_than_there_are(db: Database) -> None:
    """It would wait for ever."""
    media = [{"type": "photo", "media": f"https://example.org/{n}"} for n in range(10)]
    async with db.transaction() as tx:
        await bots.change(tx, BOT, per_second=10)
        group_id = await groups.register(tx, BOT, ChatId(-1), title="g", kind="supergroup")
        album = {"method": "sendMediaGroup", "params": {"media": media}}
        number = await broadcasts.create(tx, Targets(group_ids=[group_id]), album)
        targets = await broadcasts.targets_of(tx, number)
        assert targets is not None
        await deliveries.plan(tx, number, targets, limit=9)
        await broadcasts.planned(tx, number)
        [before] = await deliveries.candidates(tx, {BOT: 10}, AHEAD, turn=0)
        await tx.execute("UPDATE bots SET learned = 4, learned_at = now()")
        [found] = await deliveries.candidates(tx, {BOT: 10}, AHEAD, turn=0)
    assert (before.slots, found.slots, found.items) == (10, 4, 10)


async def test_whoever_looks_at_the_bot_sees_it(db: Database) -> None:
    async def seen() -> tuple[int, int, bool, bool]:
        async with db.transaction() as tx:
            view = await bot_views.get(tx, BOT, None)
        assert view is not None
        return view.rate, view.per_second, view.flood_until is not None, view.throttled

    assert await seen() == (30, 30, False, False)
    await refuse(db, -1, -2, -3)
    assert await seen() == (15, 30, True, True)
    await after(db, timedelta(seconds=70))
    assert await seen() == (18, 30, False, True)
    await after(db, timedelta(minutes=4))
    assert await seen() == (30, 30, False, False)


class Recorder(Explainer):
    """Keeps the statements."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self.asked: list[tuple[str, Sequence[Any]]] = []

    async def _explain(self, sql: str, *values: Any) -> None:
        self.asked.append((sql, values))


RATES = {
    "pacer": ("rate_for(b.per_second, b.learned, b.learned_at, now())", "b.per_second"),
    "reply": (
        """CASE WHEN b.flood_until > now() THEN 1
                                      ELSE rate_for(b.per_second, b.learned, b.learned_at, now()) END""",
        "b.per_second",
    ),
    "candidates": ("rate_for(bots.per_second, bots.learned, bots.learned_at, now())", "bots.per_second"),
}


@pytest.mark.parametrize("which", RATES)
async def test_a_bot_without_a_flood_costs_what_it_cost_before(db: Database, which: str) -> None:
    """The same plan as with the configured rate in its place, at the same cost, and no function is called."""
    async with filling(db, "TRUNCATE bots, bot_slots CASCADE;" + FILLED) as tx:
        recorder: Any = Recorder(tx)
        await {
            "pacer": lambda: slots.free(recorder, AHEAD),
            "reply": lambda: slots.take(recorder, BOT, 1, "me"),
            "candidates": lambda: deliveries.candidates(recorder, {BOT: 30}, AHEAD, turn=0),
        }[which]()
        [(sql, values)] = recorder.asked
        assert RATES[which][0] in sql
        plan = await explained(tx, sql, values)
        before = await explained(tx, sql.replace(*RATES[which]), values)
    assert "rate_for" not in json.dumps(plan)
    assert shape(plan) == shape(before)
    assert plan["Total Cost"] <= 1.05 * before["Total Cost"]


async def explained(tx: Tx, sql: str, values: Sequence[Any]) -> dict[str, Any]:
    [found] = json.loads(await tx.fetchval(f"EXPLAIN (VERBOSE, FORMAT JSON) {sql}", *values))
    plan: dict[str, Any] = found["Plan"]
    return plan


def shape(node: dict[str, Any]) -> list[Any]:
    """What is read by what, in which order."""
    own = [node["Node Type"], node.get("Relation Name"), node.get("Index Name")]
    return [own, *(shape(inner) for inner in node.get("Plans", ()))]
