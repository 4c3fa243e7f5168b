"""Tables filled as a large fleet's, and the plan of each statement that is executed there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from common.store.pool import Tx
from common.testing.postgres import Database, make_pool

ROWS = 20_000
LISTENERS = """
INSERT INTO webhooks (url, kinds, secret, secret_key, created_by, wants_until)
    SELECT 'https://a.shop.com/', '{delivery.failed}', 'x', 'k1', 'key:k', now() FROM generate_series(1, 2000) n;
"""
FILLED = f"""
INSERT INTO bots (bot_id, username, token, token_key) SELECT n, 'b' || n, 'x', 'k1' FROM generate_series(1, 2000) n;
INSERT INTO users (user_id, first_name) SELECT n, 'u' || n FROM generate_series(1, {ROWS}) n;
INSERT INTO dialogues (bot_id, user_id) SELECT n % 20, n FROM generate_series(1, {ROWS}) n;
INSERT INTO inbox (bot_id, update_id, received_at)
    SELECT n % 20, n, now() - n * interval '1 minute' FROM generate_series(1, {ROWS}) n;
INSERT INTO replies (bot_id, update_id, seq, chat_id, method, params, state, created_at, claimed_by, claimed_until)
    SELECT n % 20, n, 0, n, 'sendMessage', '{{}}', 'sent', now() - n * interval '1 minute', 'dm', now()
    FROM generate_series(1, {ROWS}) n;
INSERT INTO outbox (job_id, queue, kind, body, order_key, order_seq, run_at, published_at)
    SELECT 'j' || n, 'dm_queue', 'k', 'x', 'user ' || n % 500, n, now() - n * interval '1 s',
           CASE WHEN n % 10 > 0 THEN now() END FROM generate_series(1, {ROWS}) n;
INSERT INTO dead_letters (job_id, queue, kind, cause, reason, body, attempt, created_at, resolved_at)
    SELECT 'j' || n, 'dm_queue', 'k', 'c', 'r', 'x', 1, now() - n * interval '1 minute',
           CASE WHEN n % 100 > 0 THEN now() END FROM generate_series(1, {ROWS}) n;
INSERT INTO quarantine (bot_id, digest, body, reason)
    SELECT n % 20, sha256(n::text::bytea), 'x', 'r' FROM generate_series(1, {ROWS}) n;
INSERT INTO groups (bot_id, chat_id) SELECT n % 20 + 1, -n FROM generate_series(1, {ROWS}) n;
INSERT INTO group_turns (group_id) SELECT group_id FROM groups;
INSERT INTO bot_slots (bot_id, slot) SELECT b, n FROM generate_series(1, 200) b, generate_series(1, 30) n;
INSERT INTO workers (owner, beat_at) SELECT 'w' || n, now() FROM generate_series(1, 2000) n;
INSERT INTO broadcasts (state, content, finished_at) SELECT 'done', '{{}}', now() FROM generate_series(1, 2000) n;
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state, message_id, settled_at)
    SELECT n % 2000 + 1, n, n % 20 + 1, 'sent', n, now() FROM generate_series(1, {ROWS}) n;
INSERT INTO revisions (broadcast_id, kind, priority, state, planned, finished_at)
    SELECT n, 'recall', 10, CASE n WHEN 7 THEN 'running' ELSE 'done' END, true, CASE WHEN n <> 7 THEN now() END
    FROM generate_series(1, 2000) n;
INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id, state, deadline, slot_at, owner)
    SELECT n % 2000 + 1, n, n, n % 20 + 1, CASE n % 100 WHEN 7 THEN 'pending' WHEN 8 THEN 'slotted' ELSE 'done' END,
           now() + n * interval '1 s', now(), 'w1' FROM generate_series(1, {ROWS}) n;
INSERT INTO schedules (name, cron, timezone, content, next_at)
    SELECT 's' || n, '* * * * *', 'UTC', '{{}}', now() + n * interval '1 minute' FROM generate_series(1, 2000) n;
INSERT INTO schedule_runs (schedule_id, due_at) SELECT n % 200 + 1, now() - n * interval '1 minute'
    FROM generate_series(1, {ROWS}) n;
INSERT INTO webhooks (url, kinds, secret, secret_key, created_by, enabled, wants_until)
    SELECT 'https://a.shop.com/', '{{delivery.failed,delivery.sent}}', 'x', 'k1', 'key:k', n % 500 = 7,
           CASE WHEN n % 500 = 7 THEN 'infinity' ELSE now() END FROM generate_series(1, 2000) n;
INSERT INTO events (kind, bot_ids, data, at)
    SELECT 'delivery.failed', '{{1}}', '{{}}', now() - n * interval '1 minute' FROM generate_series(1, {ROWS}) n;
INSERT INTO webhook_messages (webhook_id, kind, event_ids, state, created_at)
    SELECT n % 4 * 500 + 7, 'delivery.failed', ARRAY[n], CASE n % 3 WHEN 0 THEN 'pending' ELSE 'delivered' END,
           now() - n * interval '1 minute' FROM generate_series(1, {ROWS}) n;
INSERT INTO webhook_waiting SELECT 7, n FROM generate_series(1, {ROWS}) n;
INSERT INTO api_keys (key_id, owner, name, digest, scopes) SELECT n, n, 'k', n::text::bytea, '{{}}'
    FROM generate_series(1, 2000) n;
INSERT INTO audit (at, actor, action, object)
    SELECT now() - n * interval '1 minute', 'key:' || n % 100, 'broadcast.' || n % 1000,
           CASE WHEN n % 1000 = 77 THEN 'key:' ELSE 'broadcast:' END || n
    FROM generate_series({ROWS}, 1, -1) n;
INSERT INTO leases (name, holder, epoch, expires_at) SELECT 'l' || n, 'h', 1, now() FROM generate_series(1, 2000) n;
ANALYZE;
"""  # noqa: S608 (our own numbers)


@dataclass
class Explainer:
    """Stands for a transaction: asks for each statement's plan before it is executed."""

    tx: Tx
    indexes: set[str] = field(default_factory=set)
    scanned: set[str] = field(default_factory=set)
    sorts: int = 0
    repeated: int = 0  # subqueries that lock rows, and run once for each row of another table

    def transaction(self) -> Any:
        """A savepoint."""
        return self.tx.transaction()

    async def execute(self, sql: str, *values: Any) -> Any:
        await self._explain(sql, *values)
        return await self.tx.execute(sql, *values)

    async def executemany(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        for row in rows:
            await self.execute(sql, *row)

    async def fetch(self, sql: str, *values: Any) -> Any:
        await self._explain(sql, *values)
        return await self.tx.fetch(sql, *values)

    async def fetchrow(self, sql: str, *values: Any) -> Any:
        await self._explain(sql, *values)
        return await self.tx.fetchrow(sql, *values)

    async def fetchval(self, sql: str, *values: Any) -> Any:
        await self._explain(sql, *values)
        return await self.tx.fetchval(sql, *values)

    async def _explain(self, sql: str, *values: Any) -> None:
        [plan] = json.loads(await self.tx.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *values))
        self._walk(plan["Plan"])

    def _walk(self, node: dict[str, Any], *, inner: bool = False) -> None:
        self.repeated += inner and node["Node Type"] == "LockRows"
        self.sorts += node["Node Type"].endswith("Sort")
        if "Index Name" in node:
            self.indexes.add(node["Index Name"])
        self.indexes.update(node.get("Conflict Arbiter Indexes", ()))
        if node["Node Type"] == "Seq Scan":
            self.scanned.add(node["Relation Name"])
        for child in node.get("Plans", ()):
            again = node["Node Type"] == "Nested Loop" and child["Parent Relationship"] == "Inner"
            self._walk(child, inner=(inner or again) and child["Parent Relationship"] != "InitPlan")


@asynccontextmanager
async def filling(db: Database, sql: str) -> AsyncIterator[Tx]:
    """A transaction in which `sql` has filled the tables; that takes its time where others use the same cores."""
    pool = make_pool(db.url, timeout=45)
    async with pool.transaction("test") as tx:
        await tx.execute(sql)
        yield tx
    await pool.close()
