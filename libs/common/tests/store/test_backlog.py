"""What goes before a broadcast is told without counting all that others have waiting."""

from __future__ import annotations

import json
from typing import Any

import pytest
from common.store import backlog
from common.store.pool import Tx
from common.testing.postgres import Database

from .plans import filling

PENDING = 6_000
RIVALS = f"""
INSERT INTO bots (bot_id, username, token, token_key) SELECT n, 'b' || n, 'x', 'k1' FROM generate_series(1, 3) n;
INSERT INTO groups (bot_id, chat_id) SELECT n % 3 + 1, -n FROM generate_series(1, {PENDING}) n;
INSERT INTO broadcasts (state, priority, content)
    VALUES ('running', 5, '{{}}'), ('running', 6, '{{}}'), ('done', 5, '{{}}'), ('running', 5, '{{}}');
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state)
    SELECT b, group_id, bot_id, CASE b WHEN 3 THEN 'sent' ELSE 'pending' END FROM groups, generate_series(1, 3) b;
INSERT INTO revisions (broadcast_id, kind, priority, state, planned)
    VALUES (3, 'edit', 5, 'running', true), (3, 'recall', 10, 'running', false);
INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id, state)
    SELECT 1, delivery_id, group_id, bot_id, 'pending' FROM deliveries WHERE broadcast_id = 3;
ANALYZE;
"""  # noqa: S608 (our own numbers)


class Counting:
    """Stands for a transaction: the rows that its statements' scans gave, for all their loops."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.read = 0

    async def fetch(self, sql: str, *values: Any) -> Any:
        [plan] = json.loads(await self._tx.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *values))
        self._walk(plan["Plan"])
        return await self._tx.fetch(sql, *values)

    def _walk(self, node: dict[str, Any]) -> None:
        if "Relation Name" in node:
            removed = node.get("Rows Removed by Filter", 0)
            self.read += round((node["Actual Rows"] + removed) * node["Actual Loops"])
        for inner in node.get("Plans", ()):
            self._walk(inner)


@pytest.mark.timeout(60)
async def test_what_others_have_waiting_is_not_counted_to_its_end(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours is one message of bot 1, beside two equals, a more urgent broadcast and a recall that is not planned."""
    async with filling(db, RIVALS) as tx:
        assert await backlog.ahead(tx, {1: 1}, 5, broadcast_id=4) == {1: 1 + 1 + PENDING // 3 * 2}
        assert await backlog.ahead(tx, {1: 7, 2: 2}, 6) == {1: 7 + PENDING // 3, 2: 2 + PENDING // 3}
        monkeypatch.setattr(backlog, "MOST", 30)
        counting = Counting(tx)
        ahead = await backlog.ahead(counting, {1: 1}, 5, broadcast_id=4)  # type: ignore[arg-type]
    assert ahead == {1: 1 + 1 + 30 + 10}, "the recall's first thirty are of three bots"
    assert counting.read < 100
