"""The reaper's statements while PostgreSQL's statistics are older than a broadcast."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from common.store import in_hand, moving, reaping, revision_items, strays
from common.store.pool import Tx
from common.testing.postgres import Database

from .plans import FILLED, Explainer, filling

pytestmark = pytest.mark.timeout(60)
LATE = timedelta(seconds=5)
# It expects a pending row or two, and would look for what is to be locked once for each.
NEW_BROADCAST = """
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state)
    SELECT 1, n, 1, 'pending' FROM generate_series(1, 3000) n ON CONFLICT DO NOTHING"""
STATEMENTS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "expire": reaping.expire,
    "close_cancelled": reaping.close_cancelled,
    "strays": lambda tx: strays.look(tx, strays.START),
    "bar": lambda tx: reaping.bar(tx, [7, 8]),
    "follow": lambda tx: moving.follow(tx, [7]),
    "hand over": lambda tx: moving.hand_over(tx, [7, 8]),
    "unslot": lambda tx: in_hand.unslot(tx, "deliveries", LATE),
    "orphans": lambda tx: reaping.orphans(tx, LATE),
    "items expire": revision_items.expire,
    "items close": revision_items.close,
    "items unslot": lambda tx: in_hand.unslot(tx, "revision_items", LATE),
    "items orphans": lambda tx: revision_items.orphans(tx, LATE),
}


@pytest.fixture
async def surprised(db: Database) -> AsyncIterator[Tx]:
    async with filling(db, FILLED + NEW_BROADCAST) as tx:
        yield tx


async def test_no_lock_is_looked_for_again_for_each_row(surprised: Tx) -> None:
    wrong = []
    for name, statement in STATEMENTS.items():
        explainer = Explainer(surprised)
        await statement(explainer)
        wrong += [name] if explainer.repeated else []
    assert wrong == []


async def test_the_explainer_sees_a_lock_that_is(surprised: Tx) -> None:
    explainer = Explainer(surprised)
    await explainer.execute(
        """UPDATE deliveries SET state = 'expired' WHERE state = 'pending' AND delivery_id IN (
               SELECT delivery_id FROM deliveries WHERE state = 'pending' LIMIT 10 FOR UPDATE SKIP LOCKED)"""
    )
    assert explainer.repeated == 1
