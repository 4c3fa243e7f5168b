"""The statements of sending keep their plans, whatever the planner believes of states and sizes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.ids import BotId, ChatId
from common.records import Candidate
from common.store import deliveries, group_states, in_hand, moving, reaping, revision_items, strays
from common.store.deliveries import Outcome
from common.store.pool import Tx
from common.store.revision_items import ItemOutcome
from common.testing.postgres import Database

from .plans import FILLED, Explainer, filling

pytestmark = pytest.mark.timeout(60)
# The statistics are from before it: then nothing waited, and there was no such broadcast and no such revision.
GROWN = """
INSERT INTO broadcasts (broadcast_id, state, content, bot_ids) OVERRIDING SYSTEM VALUE VALUES
    (9001, 'running', '{}', NULL), (9002, 'cancelled', '{}', NULL);
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state, slot_at, owner)
    SELECT 9001 + n % 2, n, n % 20 + 1, ('{slotted,sending,pending}'::text[])[n % 3 + 1], now(), 'w1'
    FROM generate_series(1, 20000) n;
INSERT INTO revisions (revision_id, broadcast_id, kind, priority, planned) OVERRIDING SYSTEM VALUE
    VALUES (9001, 9002, 'edit', 5, true);
INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id, state, deadline, slot_at, owner)
    SELECT 9001, n, n, n % 20 + 1, ('{slotted,sending,pending}'::text[])[n % 3 + 1], now(), now(),
           'w1' FROM generate_series(1, 20000) n;
"""
# Ten bots begin their first large broadcast.
YOUNG = """
INSERT INTO bots (bot_id, username, token, token_key) SELECT n, 'b' || n, 'x', 'k1' FROM generate_series(1, 10) n;
INSERT INTO groups (bot_id, chat_id) SELECT n % 10 + 1, -n FROM generate_series(1, 6000) n;
INSERT INTO group_turns (group_id) SELECT group_id FROM groups;
INSERT INTO broadcasts (state, content) VALUES ('running', '{}'), ('running', '{}');
INSERT INTO deliveries (broadcast_id, group_id, bot_id)
    SELECT b, n, n % 10 + 1 FROM generate_series(1, 2) b, generate_series(1, 6000) n;
INSERT INTO revisions (broadcast_id, kind, priority, planned) VALUES (1, 'edit', 5, true);
INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id)
    SELECT 1, n, n, n % 10 + 1 FROM generate_series(1, 6000) n;
"""
BY_STATE = {
    "deliveries_pending", "deliveries_in_hand", "deliveries_unknown", "deliveries_broadcast_id_group_id_key",
    "revision_items_pending", "revision_items_in_hand", "revision_items_late",
    "revision_items_revision_id_group_id_key",
}  # fmt: skip
NOW, SECOND = datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=1)
JOBS = [(7, NOW), (8, NOW)]
WANTED = {BotId(n): 3 for n in range(1, 11)}
CHOSEN = [(Candidate(7, 7, 7, BotId(8), 5, NOW), NOW)]
STATEMENTS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "assigned": lambda tx: in_hand.assign(tx, "deliveries", CHOSEN),
    "begun": lambda tx: deliveries.begin(tx, [(*job, 8) for job in JOBS], "w1"),
    "withdrawn": lambda tx: in_hand.withdraw(tx, "deliveries", JOBS, "w1"),
    "dropped": lambda tx: in_hand.drop(tx, "deliveries", JOBS),
    "settled": lambda tx: deliveries.settle(tx, [Outcome(7, NOW, "sent")]),
    "put off": lambda tx: deliveries.put_off(tx, JOBS, SECOND),
    "postponed": lambda tx: deliveries.postpone(tx, [CHOSEN[0][0]]),
    "handed over": lambda tx: moving.hand_over(tx, [7, 8]),
    "barred": lambda tx: reaping.bar(tx, [7, 8]),
    "items assigned": lambda tx: in_hand.assign(tx, "revision_items", CHOSEN),
    "items begun": lambda tx: revision_items.begin(tx, JOBS, "w1"),
    "items withdrawn": lambda tx: in_hand.withdraw(tx, "revision_items", JOBS, "w1"),
    "items dropped": lambda tx: in_hand.drop(tx, "revision_items", JOBS),
    "items settled": lambda tx: revision_items.settle(tx, [ItemOutcome(7, NOW, "done")]),
}


@pytest.fixture
async def grown(db: Database) -> AsyncIterator[Tx]:
    async with filling(db, FILLED) as tx:
        await tx.execute(GROWN)
        yield tx


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_rows_are_found_by_their_keys_alone(grown: Tx, mode: str) -> None:
    await grown.execute(f"SET LOCAL plan_cache_mode = {mode}")
    wrong = {}
    for name, statement in STATEMENTS.items():
        explainer = Explainer(grown)
        await statement(explainer)
        if explainer.indexes & BY_STATE or explainer.scanned:
            wrong[name] = sorted(explainer.indexes & BY_STATE | explainer.scanned)
    assert wrong == {}


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_what_strayed_is_looked_for_in_the_order_of_what_waits(grown: Tx, mode: str) -> None:
    await grown.execute(f"SET LOCAL plan_cache_mode = {mode}")
    explainer = Explainer(grown)
    found = await strays.look(explainer, strays.START)  # type: ignore[arg-type]  # stands for a transaction
    assert explainer.indexes == {"deliveries_pending", "groups_pkey", "broadcasts_pkey"}
    assert (explainer.scanned, explainer.sorts) == (set(), 0)
    assert (found.barred, found.pointers, found.elsewhere) == ([], [], [])


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_what_waits_for_one_group_is_found_by_its_group(grown: Tx, mode: str) -> None:
    await grown.execute("UPDATE broadcasts SET state = 'paused' WHERE broadcast_id = 9002")
    await grown.execute("UPDATE groups SET chat_id = -1000000 WHERE group_id = 8")
    await grown.execute(f"SET LOCAL plan_cache_mode = {mode}")
    explainer = Explainer(grown)
    await group_states.fail_pending(explainer, 7, BotId(8), "the group is lost")  # type: ignore[arg-type]  # stands for one
    await moving.move(explainer, ChatId(-9), ChatId(-1000000))  # type: ignore[arg-type]
    assert "deliveries_broadcast_id_group_id_key" in explainer.indexes
    assert not explainer.indexes & {"deliveries_pending", "deliveries_in_hand"} | explainer.scanned


async def test_the_tables_are_sampled_after_a_plan_that_is_a_tenth_of_what_is_known(grown: Tx) -> None:
    """A client with a thousand groups and a broadcast each second kept the server at it."""
    known = []
    for made in (1999, 2000, 3999):
        await deliveries.analyze(grown, made)
        known.append(await grown.fetchval("SELECT reltuples FROM pg_class WHERE oid = 'deliveries'::regclass"))
    assert known == [20_000, 40_000, 40_000]


@pytest.mark.parametrize("seen", ["deliveries, group_turns", "deliveries, revision_items", "groups", ""])
async def test_what_waits_is_read_in_its_order_whichever_tables_have_statistics(db: Database, seen: str) -> None:
    async with filling(db, YOUNG) as tx:
        await tx.execute(f"ANALYZE {seen}")
        explainer = Explainer(tx)
        await deliveries.candidates(explainer, WANTED, SECOND, turn=0)  # type: ignore[arg-type]  # stands for a transaction
        await revision_items.candidates(explainer, WANTED, SECOND)  # type: ignore[arg-type]
    assert explainer.indexes >= {"deliveries_pending", "revision_items_pending", "groups_pkey", "group_turns_pkey"}
    assert explainer.scanned <= {"bots", "broadcasts", "revisions"}, "a page each"
