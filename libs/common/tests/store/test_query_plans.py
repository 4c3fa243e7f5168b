"""Every hot query finds its rows by an index, on tables as they look after some months."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.ids import BotId, ChatId, Epoch, JobId, UpdateId, UserId
from common.store import (
    audit,
    backlog,
    bots,
    broadcasts,
    dead_letters,
    deliveries,
    dialogues,
    events,
    groups,
    inbox,
    leases,
    outbox,
    quarantine,
    reaping,
    replies,
    revision_items,
    revisions,
    schedules,
    users,
    webhook_messages,
)
from common.store.audit import Filter
from common.store.deliveries import Outcome
from common.store.groups import Note
from common.store.pool import Tx
from common.store.revision_items import ItemOutcome
from common.testing.builders import make_envelope, make_person, make_reply
from common.testing.postgres import Database, make_pool

pytestmark = pytest.mark.timeout(60)
ROWS = 20_000
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
    SELECT n % 2000 + 1, 'delivery.failed', ARRAY[n], CASE n % 100 WHEN 6 THEN 'pending' ELSE 'delivered' END,
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
    repeated: int = 0  # subqueries that lock rows, and run once for each row of another table

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
        if "Index Name" in node:
            self.indexes.add(node["Index Name"])
        self.indexes.update(node.get("Conflict Arbiter Indexes", ()))
        if node["Node Type"] == "Seq Scan":
            self.scanned.add(node["Relation Name"])
        for child in node.get("Plans", ()):
            again = node["Node Type"] == "Nested Loop" and child["Parent Relationship"] == "Inner"
            self._walk(child, inner=(inner or again) and child["Parent Relationship"] != "InitPlan")


@pytest.fixture
async def filled(db: Database) -> AsyncIterator[Tx]:
    pool = make_pool(db.url, timeout=45)  # filling takes its time where others use the same cores
    async with pool.transaction("test") as tx:
        await tx.execute(FILLED)
        yield tx
    await pool.close()


BOT, UPDATE, JOB = BotId(7), UpdateId(7), make_envelope(job_id=JobId("j7"))
REPLY = make_reply(bot_id=BOT, update_id=UPDATE, chat_id=ChatId(7))
DAY, SECOND, NOW = timedelta(days=1), timedelta(seconds=1), datetime(2026, 1, 1, tzinfo=UTC)


def trail(**wanted: Any) -> Callable[[Any], Awaitable[Any]]:
    """A page in the middle of the audit trail."""
    return lambda tx: audit.page(tx, within=None, after=9000, limit=51, wanted=Filter(**wanted))


# What EXPLAIN must name; an INSERT that does nothing on any conflict uses its indexes without naming one.
QUERIES: dict[str, tuple[Callable[[Any], Awaitable[Any]], set[str]]] = {
    "a bot": (lambda tx: bots.get(tx, BOT), {"bots_pkey"}),
    "a person seen": (lambda tx: users.see(tx, make_person(user_id=UserId(7))), {"users_pkey"}),
    "a dialogue locked": (lambda tx: dialogues.lock(tx, BOT, UserId(7)), {"dialogues_pkey"}),
    "a dialogue's status": (lambda tx: dialogues.set_status(tx, BOT, UserId(7), "blocked"), {"dialogues_pkey"}),
    "an update marked": (lambda tx: inbox.mark(tx, BOT, UPDATE), set()),
    "marks pruned": (lambda tx: inbox.prune(tx, 13 * DAY), {"inbox_received_at"}),
    "replies claimed": (lambda tx: replies.claim(tx, BOT, UPDATE, "me"), {"replies_pkey"}),
    "replies left": (lambda tx: replies.unsettled(tx, BOT, UPDATE), {"replies_pkey"}),
    "replies released": (lambda tx: replies.release(tx, BOT, UPDATE), {"replies_pkey"}),
    "a reply again": (lambda tx: replies.again(tx, REPLY), {"replies_pkey"}),
    "a reply settled": (lambda tx: replies.settle(tx, REPLY, "sent"), {"replies_pkey"}),
    "replies pruned": (lambda tx: replies.prune(tx, 13 * DAY), {"replies_created_at"}),
    "a job kept": (lambda tx: outbox.add(tx, JOB, order=("user 7", 7)), {"outbox_order"}),
    "jobs due": (lambda tx: outbox.due(tx, 200), {"outbox_due"}),
    "the first of an order": (lambda tx: outbox.first(tx, ("user 7", 7)), {"outbox_order"}),
    "a job handled": (lambda tx: outbox.handled(tx, ("user 7", 7)), {"outbox_order"}),
    "a job buried": (lambda tx: outbox.buried(tx, JobId("j7")), {"outbox_job"}),
    "lost messages": (lambda tx: outbox.revive(tx, DAY), {"outbox_published"}),
    "the backlog": (outbox.backlog, {"outbox_due"}),
    "a dead letter": (lambda tx: dead_letters.add(tx, JOB, cause="c", reason="r"), set()),
    "open dead letters": (lambda tx: dead_letters.unresolved(tx, 50), {"dead_letters_open"}),
    "a replay": (lambda tx: dead_letters.replay(tx, 7), {"dead_letters_pkey"}),
    "a discard": (lambda tx: dead_letters.discard(tx, 7), {"dead_letters_pkey"}),
    "a body kept": (lambda tx: quarantine.keep(tx, BOT, b"x", "r"), set()),
    "items to hand out": (
        lambda tx: revision_items.candidates(tx, {BotId(8): 9}, SECOND),
        {"revisions_open", "revision_items_pending"},
    ),
    "items begun": (lambda tx: revision_items.begin(tx, [(7, NOW)], "w1"), {"revision_items_pkey"}),
    "items settled": (lambda tx: revision_items.settle(tx, [ItemOutcome(7, NOW, "done")]), {"revision_items_pkey"}),
    "items dropped": (lambda tx: revision_items.drop(tx, [(7, NOW)]), {"revision_items_pkey"}),
    "items without a job": (lambda tx: revision_items.unslot(tx, DAY), {"revision_items_in_hand"}),
    "items without a sender": (lambda tx: revision_items.orphans(tx, DAY), {"revision_items_in_hand"}),
    "items of what was stopped": (revision_items.close, {"revisions_open"}),
    "items too old": (revision_items.expire, {"revision_items_late"}),
    "items listed": (
        lambda tx: revision_items.page(tx, 7, 7, state=None, after_group=0, limit=9),
        {"revision_items_revision_id_group_id_key"},
    ),
    "revisions of a broadcast": (lambda tx: revisions.of(tx, 7), {"revisions_broadcast"}),
    "revisions to plan": (revisions.unplanned, {"revisions_open"}),
    "a revision planned": (lambda tx: revisions.plan(tx, 7, limit=99), {"revisions_pkey"}),
    "revisions that are over": (revisions.finish, {"revisions_open"}),
    "what a revision reaches": (lambda tx: revisions.reach(tx, 7), {"deliveries_broadcast_id_group_id_key"}),
    "what a revision still has to do": (lambda tx: backlog.of_revision(tx, 7), {"revisions_pkey"}),
    "what goes before it": (lambda tx: backlog.ahead(tx, {8: 9}, 5), {"revisions_open", "broadcasts_open"}),
    "schedules due": (lambda tx: schedules.due(tx, 9), {"schedules_due"}),
    "a schedule taken": (lambda tx: schedules.take(tx, 7), {"schedules_pkey"}),
    "occurrences listed": (lambda tx: schedules.runs(tx, 7, before=None, limit=9), {"schedule_runs_pkey"}),
    "sends settled, and told": (
        lambda tx: deliveries.settle(tx, [Outcome(7, "failed")]),
        {"webhooks_wanting"},
    ),
    "sends without a sender": (lambda tx: reaping.orphans(tx, DAY), {"deliveries_in_hand", "webhooks_wanting"}),
    "a broadcast paused": (lambda tx: broadcasts.pause(tx, 7, "r"), {"webhooks_wanting"}),
    "broadcasts that are over": (broadcasts.finish, {"broadcasts_open", "webhooks_wanting"}),
    "groups noted": (lambda tx: groups.note(tx, [Note(7, failed=True)]), {"groups_pkey", "webhooks_wanting"}),
    "requests to webhooks": (
        lambda tx: webhook_messages.claim(tx, {7: 1}, turns=4, hold=DAY),
        {"webhook_messages_due", "events_pkey"},
    ),
    "events with company": (webhook_messages.gather, {"webhook_waiting_pkey"}),
    "requests listed": (
        lambda tx: webhook_messages.page(tx, 7, state=None, before_id=99, limit=9),
        {"webhook_messages_webhook"},
    ),
    "events since": (lambda tx: webhook_messages.replay_since(tx, 7, datetime.now(UTC) - DAY / 24), {"events_at"}),
    "an event again": (lambda tx: webhook_messages.replay_one(tx, 7, 7), {"events_pkey"}),
    "events pruned": (lambda tx: events.prune(tx, 13 * DAY), {"events_at", "webhook_messages_created_at"}),
    "the audit trail": (trail(), {"audit_at"}),
    "changes by a key": (trail(key_id="7"), {"audit_actor"}),
    "changes of a sort": (trail(action="broadcast.7"), {"audit_action"}),
    "changes of a thing": (trail(kind="key", number="77"), {"audit_object"}),
    "changes of such things": (trail(kind="key"), {"audit_kind"}),
    "changes of a day long ago": (trail(since=NOW, until=NOW + DAY), {"audit_at"}),
    "a lease": (lambda tx: leases.acquire(tx, "l7", "me", DAY), {"leases_pkey"}),
    "a fence": (lambda tx: leases.fence(tx, "l7", Epoch(2)), {"leases_pkey"}),
}


async def test_no_query_reads_a_whole_table(filled: Tx) -> None:
    wrong = {}
    for name, (query, expected) in QUERIES.items():
        explainer = Explainer(filled)
        await query(explainer)
        if explainer.scanned or not expected <= explainer.indexes:
            wrong[name] = f"indexes {sorted(explainer.indexes)}, whole tables {sorted(explainer.scanned)}"
    assert wrong == {}


async def test_no_lock_is_taken_again_for_each_row_of_a_new_broadcast(filled: Tx) -> None:
    """What PostgreSQL knows is older than the broadcast's rows, so it expects one of them."""
    await filled.execute(
        """INSERT INTO deliveries (broadcast_id, group_id, bot_id, state)
           SELECT 7, n, 1, 'pending' FROM generate_series(1, 3000) n ON CONFLICT DO NOTHING"""
    )
    for query in (
        reaping.expire,
        reaping.close_cancelled,
        revision_items.close,
        revision_items.expire,
        lambda tx: reaping.unslot(tx, timedelta(seconds=5)),
        lambda tx: reaping.orphans(tx, timedelta(seconds=5)),
        lambda tx: revision_items.unslot(tx, timedelta(seconds=5)),
        lambda tx: revision_items.orphans(tx, timedelta(seconds=5)),
    ):
        explainer = Explainer(filled)
        await query(explainer)  # type: ignore[arg-type]  # stands for a transaction
        assert explainer.repeated == 0, query


async def test_the_relays_ids_are_found_by_the_primary_key(filled: Tx) -> None:
    rows = await outbox.due(filled, 20)
    explainer = Explainer(filled)
    await outbox.published(explainer, rows)  # type: ignore[arg-type]  # stands for a transaction
    assert explainer.indexes == {"outbox_pkey"}


async def test_the_explainer_sees_a_query_without_an_index(filled: Tx) -> None:
    explainer = Explainer(filled)
    await explainer.fetch("SELECT * FROM users WHERE first_name = $1", "u7")
    assert explainer.scanned == {"users"}
