"""A choice of tens of thousands of groups is found by hashes and indexes, also by a plan for any choice."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from common.store import audience, broadcasts, deliveries
from common.store.broadcasts import Targets
from common.store.pool import Tx
from common.testing.postgres import Database

from .plans import FILLED, Explainer, filling

pytestmark = pytest.mark.timeout(60)
STATEMENTS: dict[str, Callable[[Any, Targets], Awaitable[Any]]] = {
    "plan": lambda tx, targets: deliveries.plan(tx, 7, targets, limit=10_000),
    "audience": audience.of,
    "variables": lambda tx, targets: audience.without_value(tx, targets, ["city"]),
    "count": broadcasts.count,
}
SOME = list(range(1, 2000, 2))
CHOICES = {
    "some": Targets(group_ids=SOME, tags=["a"], exclude_ids=SOME[:99], exclude_tags=["b"], bot_ids=[1, 2]),
    "all": Targets(all_groups=True, exclude_ids=SOME),
}

COMPARED = re.compile(r"(= ANY|<> ALL) \(\$|(?<!hashed )SubPlan")


class Recorder(Explainer):
    """Keeps the statements."""

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self.asked: list[tuple[str, Sequence[Any]]] = []

    async def _explain(self, sql: str, *values: Any) -> None:
        self.asked.append((sql, values))


@pytest.fixture
async def filled(db: Database) -> AsyncIterator[Tx]:
    async with filling(db, FILLED) as tx:
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        yield tx


def literal(value: Any) -> str:
    if isinstance(value, list):
        return f"'{{{','.join(map(str, value))}}}'"
    return "NULL" if value is None else str(value).lower()


async def planned(tx: Tx, sql: str, values: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The nodes of the plan for any values."""
    await tx.execute(f"PREPARE asked AS {sql}")
    given = ", ".join(map(literal, values))
    [found] = json.loads(await tx.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked({given})"))
    await tx.execute("DEALLOCATE asked")
    return nodes(found["Plan"])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from nodes(inner)


async def test_no_row_is_compared_with_each_id(filled: Tx) -> None:
    """From its sixth execution on a statement has such a plan; planning then took longer than a statement may."""
    wrong = []
    for (what, statement), (choice, targets) in itertools.product(STATEMENTS.items(), CHOICES.items()):
        recorder: Any = Recorder(filled)
        await statement(recorder, targets)
        asked = [(sql, values) for sql, values in recorder.asked if "SELECT unnest" in sql or "&&" in sql]
        assert asked
        for sql, values in asked:
            filters = [f"{node.get('Filter')} {node.get('Join Filter')}" for node in await planned(filled, sql, values)]
            wrong += [(what, choice, text) for text in filters if COMPARED.search(text)]
    assert wrong == []


async def test_one_plans_and_nobody_waits_for_it(db: Database) -> None:
    """Each waited with a connection of its own, and the reaper asked for another one each second."""
    async with db.transaction() as tx:
        number = await broadcasts.create(tx, Targets(all_groups=True), {})
        await tx.execute("UPDATE broadcasts SET send_at = now() - interval '9 s', created_at = now() - interval '9 s'")
    async with db.transaction() as planner, db.transaction() as other:
        assert await broadcasts.targets_of(planner, number) is not None
        assert await asyncio.wait_for(broadcasts.targets_of(other, number), 5) is None
        assert await asyncio.wait_for(broadcasts.unplanned(other), 5) == []
    async with db.transaction() as tx:
        assert await broadcasts.unplanned(tx) == [number]
        assert await broadcasts.targets_of(tx, number) is not None
