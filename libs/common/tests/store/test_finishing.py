"""What is over is done, and what an operator opens again at the same moment is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from common.store import broadcasts, revisions, steering
from common.testing.polling import eventually
from common.testing.postgres import Database

ROWS = """
INSERT INTO bots (bot_id, username, token, token_key) VALUES (1, 'b1', 'x', 'k1');
INSERT INTO groups (bot_id, chat_id) VALUES (1, -1);
INSERT INTO group_turns (group_id) SELECT group_id FROM groups;
INSERT INTO broadcasts (state, content, planned) VALUES ('running', '{}', true);
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state)
    SELECT broadcast_id, group_id, 1, 'failed' FROM broadcasts, groups;
INSERT INTO revisions (broadcast_id, kind, priority, planned) SELECT broadcast_id, 'edit', 5, true FROM broadcasts;
INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id, state)
    SELECT revision_id, delivery_id, group_id, 1, 'failed' FROM revisions, deliveries;
"""
AGAIN = {
    "broadcasts": "UPDATE deliveries SET state = 'pending'",
    "revisions": "UPDATE revision_items SET state = 'pending'",
}
Finish = Callable[[Any], Awaitable[list[int]]]


async def finished(db: Database, finish: Finish) -> list[int]:
    async with db.transaction() as tx:
        return await finish(tx)


@pytest.mark.parametrize(
    ("changes", "over"),
    [
        ("pause_reason = 'content: 400 no'", [1]),
        ("pause_reason = 'content: 400 no', planned = false", []),
        ("pause_reason = 'paused by an operator'", []),
    ],
)
async def test_a_paused_one_is_done_when_its_content_paused_it_and_nothing_is_left(
    db: Database, changes: str, over: list[int]
) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        await tx.execute(f"UPDATE broadcasts SET state = 'paused', {changes}")  # noqa: S608 (our own words)
        await tx.execute("UPDATE deliveries SET state = 'pending'")
        assert await broadcasts.finish(tx) == []
        await tx.execute("UPDATE deliveries SET state = 'failed'")
    assert await finished(db, broadcasts.finish) == over


async def test_one_that_is_opened_again_is_paused_no_more(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        await tx.execute("UPDATE broadcasts SET state = 'paused', pause_reason = 'content: 400 no'")
        assert await broadcasts.finish(tx) == [1]
        assert await steering.again(tx, 1, "failed") == 1
        found = await broadcasts.get(tx, 1)
    assert found is not None
    assert (found.state, found.pause_reason) == ("running", None)


@pytest.mark.parametrize(("table", "finish"), [("broadcasts", broadcasts.finish), ("revisions", revisions.finish)])
class TestFinish:
    async def test_what_is_over_is_done_once(self, db: Database, table: str, finish: Finish) -> None:
        async with db.transaction() as tx:
            await tx.execute(ROWS)
        assert await finished(db, finish) == [1]
        assert await finished(db, finish) == []
        async with db.transaction() as tx:
            assert await tx.fetchval(f"SELECT state FROM {table}") == "done"  # noqa: S608 (our own names)

    async def test_what_is_opened_again_meanwhile_goes_on(self, db: Database, table: str, finish: Finish) -> None:
        async with db.transaction() as tx:
            await tx.execute(ROWS)
        async with db.transaction() as operator:
            await operator.execute(f"SELECT 1 FROM {table} FOR UPDATE")  # noqa: S608 (our own names)
            await operator.execute(AGAIN[table])
            assert await asyncio.wait_for(finished(db, finish), 5) == []
        assert await finished(db, finish) == []

    async def test_what_was_opened_just_before_it_was_locked_goes_on(
        self, db: Database, table: str, finish: Finish
    ) -> None:
        """The first statement's snapshot is older than the operator's commit."""
        async with db.transaction() as tx:
            await tx.execute(ROWS)

        class Slow:
            """A transaction that is slow after its first statement's rows were found."""

            def __init__(self, tx: Any) -> None:
                self.tx, self.asked = tx, 0

            async def fetch(self, sql: str, *values: Any) -> Any:
                self.asked += 1
                rows = await self.tx.fetch(sql, *values)
                if self.asked == 1:
                    async with db.transaction() as operator:
                        await operator.execute(AGAIN[table])
                return rows

        async with db.transaction() as tx:
            assert await finish(Slow(tx)) == []


async def test_a_retry_beside_the_reaper_is_sent(db: Database) -> None:
    """As the API does it: it saw a broadcast that runs, and has nothing to open again."""
    async with db.transaction() as tx:
        await tx.execute(ROWS)
    async with db.transaction() as api:
        standing = await steering.lock(api, 1, None)
        assert standing is not None
        assert standing.state == "running"
        assert await steering.again(api, 1, "failed") == 1
        beside = asyncio.create_task(finished(db, broadcasts.finish))
        await eventually(lambda: _waits_or_done(db, beside), within=5)
    assert await beside == []
    async with db.transaction() as tx:
        found = await broadcasts.get(tx, 1)
    assert found is not None
    assert found.state == "running"


async def _waits_or_done(db: Database, task: asyncio.Task[Any]) -> bool:
    async with db.transaction() as tx:
        return task.done() or bool(await tx.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
