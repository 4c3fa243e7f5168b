"""What is counted for SREs: each delivery for its reason, and no statement reads a large table whole."""

from __future__ import annotations

from datetime import timedelta

from common.store import census
from common.store.pool import Tx
from common.testing.postgres import Database

from .test_query_plans import Explainer

SILENT = timedelta(seconds=8)
FLEET = """
INSERT INTO bots (bot_id, username, token, token_key, state, enabled, per_second, flood_until, health, checked_at)
VALUES
    (1, 'well', 'x', 'k1', 'active', true, 30, now() - interval '1 h', '{"problems": []}', now()),
    (2, 'flooded', 'x', 'k1', 'active', true, 20, now() + interval '1 h', '{"problems": ["backlog"]}', now()),
    (3, 'off', 'x', 'k1', 'active', false, 30, NULL, '{"problems": ["webhook_missing"]}', now()),
    (4, 'revoked', 'x', 'k1', 'revoked', true, 30, NULL, '{"problems": ["token_revoked", "backlog"]}', now()),
    (5, 'gone', 'x', 'k1', 'revoked', false, 30, NULL, '{"problems": ["token_revoked"]}', now()),
    (6, 'old', 'x', 'k1', 'active', true, 5, NULL, '{"problems": ["delivery_failing"]}', now() - interval '2 days');
INSERT INTO bot_slots (bot_id, slot, free_at, held_by) VALUES
    (1, 1, now(), NULL), (1, 2, now() + interval '1 h', NULL), (1, 3, now(), 'd'),
    (1, 31, now(), NULL), (3, 1, now(), NULL);
INSERT INTO groups (bot_id, chat_id, phase, health) VALUES
    (1, -1, 'growth', 'ok'), (1, -2, 'growth', 'ok'), (1, -3, 'lost', 'unreachable');
INSERT INTO broadcasts (state, content, send_at) SELECT state, '{}', now() - interval '10 minutes'
    FROM unnest('{running,paused,done,planning}'::text[]) state;
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state, not_before, slot_at) VALUES
    (1, 1, 1, 'pending', to_timestamp(0), NULL), (1, 2, 1, 'pending', now() - interval '1 minute', NULL),
    (1, 3, 1, 'pending', now() + interval '1 h', NULL), (1, 4, 2, 'pending', to_timestamp(0), NULL),
    (1, 5, 3, 'pending', to_timestamp(0), NULL), (1, 6, 4, 'pending', to_timestamp(0), NULL),
    (2, 1, 1, 'pending', to_timestamp(0), NULL), (3, 1, 1, 'pending', to_timestamp(0), NULL),
    (1, 7, 1, 'slotted', to_timestamp(0), now() - interval '3 s'),
    (1, 8, 1, 'slotted', to_timestamp(0), now() + interval '3 s'),
    (1, 9, 1, 'sending', to_timestamp(0), now() - interval '9 s'), (3, 2, 1, 'unknown', to_timestamp(0), NULL),
    (3, 3, 1, 'sent', to_timestamp(0), NULL), (4, 1, 1, 'pending', to_timestamp(0), NULL);
INSERT INTO workers (owner, beat_at) VALUES ('here', now()), ('gone', now() - interval '1 minute');
INSERT INTO dead_letters (job_id, queue, kind, cause, reason, body, attempt, resolved_at) VALUES
    ('a', 'dm_queue', 'k', 'rejected', 'r', 'x', 1, NULL), ('b', 'dm_queue', 'k', 'rejected', 'r', 'x', 1, now());
INSERT INTO quarantine (bot_id, digest, body, reason) VALUES (1, 'd', 'x', 'r');
INSERT INTO outbox (job_id, queue, kind, body, run_at) VALUES ('a', 'dm_queue', 'k', 'x', now() - interval '20 s');
"""
MONTHS = """
INSERT INTO bots (bot_id, username, token, token_key) SELECT n, 'b' || n, 'x', 'k1' FROM generate_series(1, 20) n;
INSERT INTO groups (bot_id, chat_id) SELECT n % 20 + 1, -n FROM generate_series(1, 2000) n;
INSERT INTO broadcasts (state, content) SELECT CASE WHEN n > 199 THEN 'running' ELSE 'done' END, '{}'
    FROM generate_series(1, 200) n;
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state)
    SELECT b, g, g % 20 + 1, CASE WHEN b > 199 AND g % 4 = 0 THEN 'pending' WHEN g % 500 = 1 THEN 'unknown'
        WHEN b > 199 AND g % 400 = 7 THEN 'slotted' ELSE 'sent' END
    FROM generate_series(1, 200) b CROSS JOIN generate_series(1, 400) g;
INSERT INTO dead_letters (job_id, queue, kind, cause, reason, body, attempt, resolved_at)
    SELECT 'j' || n, 'dm_queue', 'k', 'c', 'r', 'x', 1, CASE WHEN n % 100 > 0 THEN now() END
    FROM generate_series(1, 20000) n;
INSERT INTO outbox (job_id, queue, kind, body, published_at)
    SELECT 'j' || n, 'dm_queue', 'k', 'x', CASE WHEN n % 100 > 0 THEN now() END FROM generate_series(1, 20000) n;
INSERT INTO revisions (broadcast_id, kind, priority) VALUES (1, 'recall', 5);
INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id, state)
    SELECT 1, n, n, 1, CASE WHEN n % 100 = 0 THEN 'pending' ELSE 'done' END FROM generate_series(1, 20000) n;
ANALYZE;
"""


async def taken(db: Database) -> census.Census:
    async with db.transaction() as tx:
        await tx.execute(FLEET)
        return await census.take(tx, SILENT)


async def test_each_waiting_delivery_has_its_reason(db: Database) -> None:
    waiting = (await taken(db)).waiting
    assert waiting.by_why == {"turn": 2, "later": 2, "flood": 1, "bot_off": 2, "paused": 1}
    assert waiting.by_bot == {1: 5, 2: 1, 3: 1, 4: 1}
    assert 599 < waiting.oldest["turn"] < 660
    assert 599 < waiting.oldest["later"] < 660  # of the one whose broadcast is still being planned


async def test_what_is_in_hand_and_in_doubt(db: Database) -> None:
    found = await taken(db)
    assert (found.in_hand.slotted, found.in_hand.sending) == (2, 1)
    assert 2.9 < found.in_hand.late < 60
    assert found.unknown == 1
    assert found.broadcasts == {"running": 1, "paused": 1, "planning": 1}


async def test_bots_and_what_they_may_send(db: Database) -> None:
    found = await taken(db)
    assert found.bots.by_state == {"active": 3, "disabled": 2, "revoked": 1}
    assert found.bots.problems == {"backlog": 2, "token_revoked": 1}
    assert found.bots.ceiling == 35
    assert found.bots.flood[1] == 0
    assert 3500 < found.bots.flood[2] <= 3600
    assert found.slots == {"free": 1, "cooling": 1, "held": 1}


async def test_the_rest(db: Database) -> None:
    found = await taken(db)
    assert found.groups == {("growth", "ok"): 2, ("lost", "unreachable"): 1}
    assert (found.senders, found.quarantined, found.revision_items) == (1, 1, 0)
    assert found.dead_letters == {("dm_queue", "rejected"): 1}
    assert found.outbox.pending == 1
    assert 19 < found.outbox.oldest.total_seconds() < 60


async def test_an_empty_fleet_can_be_counted(db: Database) -> None:
    async with db.transaction() as tx:
        found = await census.take(tx, SILENT)
    assert (found.waiting.by_why, found.in_hand.late, found.bots.ceiling) == ({}, 0, 0)


async def test_no_large_table_is_read_whole(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(MONTHS)
        explainer: Explainer = Explainer(tx)
        await census.take(as_tx(explainer), SILENT)
    assert explainer.scanned <= {"bots", "bot_slots", "groups", "broadcasts", "workers", "quarantine"}
    assert {"deliveries_pending", "deliveries_in_hand", "deliveries_unknown"} <= explainer.indexes
    assert {"dead_letters_open", "outbox_due", "revision_items_pending"} <= explainer.indexes


def as_tx(explainer: Explainer) -> Tx:
    return explainer  # type: ignore[return-value]  # stands for a transaction
