"""What is old goes, what may still be asked for stays, and a lost message is published again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from common.errors import StoreUnavailable
from common.store import outbox
from common.testing.polling import eventually
from common.testing.postgres import Database
from tgms import housekeeping
from tgms.leader import Leader

_KEEP = timedelta(days=8)


async def swept(db: Database, leader: Leader, done: str) -> None:
    """One round: until that query says true."""

    async def look() -> bool:
        async with db.transaction() as tx:
            return bool(await tx.fetchval(done))

    stop = asyncio.Event()
    running = asyncio.create_task(housekeeping.run(stop, db.pool, leader, keep=_KEEP))
    await eventually(look)
    stop.set()
    await running


async def test_old_marks_go_and_younger_ones_stay(db: Database, leader: Leader) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO inbox (bot_id, update_id, received_at)
               VALUES (1, 1, now() - interval '9 days'), (1, 2, now() - interval '7 days'), (1, 3, now())"""
        )
    await swept(db, leader, "SELECT NOT EXISTS (SELECT 1 FROM inbox WHERE update_id = 1)")
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT array_agg(update_id ORDER BY update_id) FROM inbox") == [2, 3]


async def test_settled_replies_go_and_unsettled_ones_stay(db: Database, leader: Leader) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO replies
                   (bot_id, update_id, seq, chat_id, method, params, claimed_by, claimed_until, state, created_at)
               SELECT 1, n, 0, 1, 'sendMessage', '{}', 'a', now(), state, now() - age
               FROM (VALUES (1, 'sent', interval '9 days'), (2, 'sending', '9 days'), (3, 'sent', '1 day'),
                            (4, 'failed', '9 days'), (5, 'unknown', '9 days')) AS old (n, state, age)"""
        )
    await swept(db, leader, "SELECT NOT EXISTS (SELECT 1 FROM replies WHERE update_id = 1)")
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT array_agg(update_id ORDER BY update_id) FROM replies") == [2, 3]


async def test_a_published_job_that_nobody_handled_is_published_again(db: Database, leader: Leader) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO outbox (job_id, queue, kind, body, order_key, order_seq, published_at)
               SELECT 'job', 'q', 'k', '', 'key', n, now() - age
               FROM (VALUES (1, interval '11 minutes'), (2, '9 minutes')) AS lost (n, age)"""
        )
    await swept(db, leader, "SELECT published_at IS NULL FROM outbox WHERE order_seq = 1")
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT published_at IS NOT NULL FROM outbox WHERE order_seq = 2")


@pytest.mark.timeout(60)
async def test_after_a_long_absence_no_transaction_takes_out_all(
    db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was taken out stays so where a later table fails."""
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO events (kind, data, at)
               SELECT 'broadcast.cancelled', '{}', now() - interval '8 days' FROM generate_series(1, 10500)"""
        )
        await tx.execute(
            """INSERT INTO webhook_messages (webhook_id, kind, event_ids, created_at)
               SELECT 1, 'broadcast.cancelled', ARRAY[n], now() - interval '8 days' FROM generate_series(1, 10500) n"""
        )
        await tx.execute(
            """INSERT INTO idempotent_results (owner, route, key, body_hash, status, headers, body, created_at)
               SELECT 'o', 'r', n, '', 200, '{}', '', now() - interval '2 days' FROM generate_series(1, 10500) n"""
        )
        await tx.execute(
            """INSERT INTO media_files (bot_id, source, kind, claimed_by, claimed_until, created_at)
               SELECT n, '', 'photo', 's', now(), now() - interval '61 days' FROM generate_series(1, 10500) n"""
        )

    async def fails(*_: object) -> int:
        raise StoreUnavailable("a statement took too long")

    monkeypatch.setattr(outbox, "revive", fails)
    await housekeeping._prune(db.pool, leader, _KEEP)
    async with db.transaction() as tx:
        for table in ("events", "webhook_messages", "idempotent_results", "media_files"):
            assert await tx.fetchval(f"SELECT count(*) FROM {table}") == 500, table  # noqa: S608 (our own names)
    monkeypatch.undo()
    await housekeeping._prune(db.pool, leader, _KEEP)
    async with db.transaction() as tx:
        for table in ("events", "webhook_messages", "idempotent_results", "media_files"):
            assert await tx.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608 (our own names)


async def test_who_does_not_lead_sweeps_nothing(db: Database, leader: Leader) -> None:
    async with db.transaction() as tx:
        await tx.execute("INSERT INTO inbox VALUES (1, 1, now() - interval '9 days')")
    another = Leader(db.pool, ttl=5)
    await housekeeping._prune(db.pool, another, _KEEP)
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM inbox") == 1


async def test_who_waits_for_the_lease_sees_the_stop(db: Database, leader: Leader) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(housekeeping.run(stop, db.pool, Leader(db.pool, ttl=5), keep=_KEEP))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, 0.5)
