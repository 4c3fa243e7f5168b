"""reliability.md §3, B1-B5: what PostgreSQL, its restarts and its poolers do to the naive, each as its own test."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import common.store
import pytest
from common.errors import StoreUnavailable
from common.ids import BotId, Epoch, JobId, UpdateId
from common.store import bots, dead_letters, dialogues, feedback, inbox, leases, outbox, quarantine, replies, users
from common.store.migrate import available, migrate
from common.store.pool import Pool
from common.testing.builders import USER_ID, make_bot, make_envelope, make_person, make_reply
from common.testing.pgbouncer import pgbouncer
from common.testing.polling import eventually
from common.testing.postgres import Database, fresh_database, make_pool
from common.testing.tcp_proxy import TcpProxy
from stack.servers import Server
from stack.testing import frozen


async def mark(pool: Pool, update: int) -> bool:
    async with pool.transaction("test") as tx:
        return await inbox.mark(tx, BotId(1), UpdateId(update))


async def answers(pool: Pool) -> bool:
    try:
        await pool.ping()
    except StoreUnavailable:
        return False
    return True


@pytest.mark.timeout(60)
async def test_b1_the_pool_recovers_by_itself_from_a_killed_server(private_postgres: Server) -> None:
    """B1: after kill -9 and restart the same pool works on; what was running says StoreUnavailable and nothing else."""
    async with fresh_database(private_postgres.url) as url:
        pool = make_pool(url, timeout=2)
        await migrate(pool, available())
        await asyncio.gather(*(mark(pool, n) for n in range(10)))
        running = [asyncio.create_task(sleep_in_transaction(pool)) for _ in range(5)]
        await eventually(lambda: all_asleep(pool, 5))
        await asyncio.to_thread(private_postgres.kill)
        results = await asyncio.gather(*running, return_exceptions=True)
        assert [type(result) for result in results] == [StoreUnavailable] * 5
        assert not await answers(pool)
        await asyncio.to_thread(private_postgres.start)
        await eventually(lambda: answers(pool), within=5)
        assert await asyncio.gather(*(mark(pool, n) for n in range(10, 20))) == [True] * 10
        await pool.close()


def test_b2_nothing_depends_on_a_session() -> None:
    """B2, B5: LISTEN stays dead after a restart and hears nothing behind a pooler, and a session's advisory lock is
    granted to several there: so neither is used, nor anything else that outlives a transaction.
    """
    forbidden = re.compile(
        r"\b(UN)?LISTEN\b|\bNOTIFY\b|pg_(try_)?advisory_(un)?lock\b|\bSET\s+SESSION\b"
        r"|\bDECLARE\b.*\bCURSOR\b|\bTEMP(ORARY)?\s+TABLE\b|add_listener"
    )
    folder = Path(common.store.__file__).parent
    found = [
        f"{file.name}: {hit[0]}"
        for file in [*folder.glob("*.py"), *folder.glob("migrations/*.sql")]
        for hit in forbidden.finditer(file.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("callers", [1, 8])
async def test_b3_a_frozen_server_costs_a_bounded_time(db: Database, callers: int) -> None:
    """B3: with command_timeout alone eight callers on five connections waited for 13 s."""
    async with TcpProxy.before(db.url) as proxy:
        pool = make_pool(proxy.through(db.url), max_size=5, timeout=0.5)
        await asyncio.gather(*(pool.ping() for _ in range(5)))
        proxy.freeze()
        started = time.monotonic()
        results = await asyncio.gather(*(pool.ping() for _ in range(callers)), return_exceptions=True)
        assert {type(result) for result in results} == {StoreUnavailable}
        assert time.monotonic() - started < 2.5
        proxy.heal()
        await eventually(lambda: answers(pool), within=5)
        await pool.close()


@pytest.mark.timeout(60)
async def test_b3_a_server_that_is_stopped_and_goes_on(private_postgres: Server) -> None:
    """B3 with a real SIGSTOP: connections that were opened meanwhile are answered late, and do no harm then."""
    pool = make_pool(private_postgres.url, max_size=3, timeout=0.5)
    await pool.ping()
    with frozen(private_postgres):
        started = time.monotonic()
        results = await asyncio.gather(*(pool.ping() for _ in range(6)), return_exceptions=True)
        assert {type(result) for result in results} == {StoreUnavailable}
        assert time.monotonic() - started < 3
    await eventually(lambda: answers(pool), within=5)
    await pool.close()


async def test_b4_a_commit_in_doubt_is_looked_up_by_its_own_id(db: Database) -> None:
    """B4: of 441 failed inserts 11 were committed; whoever takes "failed" for "not there" does it twice."""
    async with TcpProxy.before(db.url) as proxy:
        pool = make_pool(proxy.through(db.url), timeout=0.5)
        await pool.ping()
        with pytest.raises(StoreUnavailable):
            await mark_then(pool, lambda: proxy.freeze("down"))  # the commit arrives, its answer does not
        proxy.reset()
        proxy.heal()
        await eventually(lambda: answers(pool), within=5)
        assert not await mark(pool, 1)
        await pool.close()


@pytest.fixture
async def pooled(db: Database) -> AsyncIterator[Database]:
    """The same database as hosted providers give it: transaction pooling, and their parameters in the URL."""
    async with pgbouncer(db.url) as url:
        pool = make_pool(f"{url}?pgbouncer=true&connect_timeout=15&channel_binding=require", max_size=20)
        yield Database(url, pool)
        await pool.close()


@pytest.mark.parametrize(
    "parameters",
    ["", "?sslmode=disable&channel_binding=require", "?pgbouncer=true&connect_timeout=15", "?options=endpoint%3Dep-x"],
    ids=["plain", "neon", "prisma", "endpoint"],
)
async def test_b5_urls_of_hosted_providers_are_understood(db: Database, parameters: str) -> None:
    """B5: asyncpg sends what it does not know to the server as a setting, and the server refuses the connection."""
    async with pgbouncer(db.url) as url:
        for address in (db.url, url):
            pool = make_pool(address + parameters)
            await pool.ping()
            await pool.close()


async def test_b5_every_function_of_the_store_works_behind_a_transaction_pooler(pooled: Database) -> None:
    """B5: with asyncpg's defaults 110 of 300 queries failed, for a prepared statement is another session's."""
    for _ in range(3):
        await asyncio.gather(*(everything(pooled.pool, number) for number in range(20)))


async def test_b5_one_leader_behind_a_transaction_pooler(pooled: Database) -> None:
    """B5: a session's advisory lock was granted to both clients."""

    async def acquire(holder: str) -> Epoch | None:
        async with pooled.pool.transaction("lease") as tx:
            return await leases.acquire(tx, "tgms", holder, timedelta(minutes=1))

    won = await asyncio.gather(*(acquire(f"holder {number}") for number in range(20)))
    assert sorted(epoch for epoch in won if epoch is not None) == [1]


async def test_b5_migrators_behind_a_transaction_pooler_exclude_each_other(empty_db: Database) -> None:
    """B5, for the migrations' own lock."""
    async with pgbouncer(empty_db.url, server_connections=4) as url:
        pools = [make_pool(url, max_size=1) for _ in range(3)]
        applied = await asyncio.gather(*(migrate(pool, available()) for pool in pools))
        # Each once, whoever applies it: the lock is a transaction's, for a session is nobody's own here.
        assert sorted(name for names in applied for name in names) == sorted(each.name for each in available())
        await asyncio.gather(*(pool.close() for pool in pools))


async def everything(pool: Pool, number: int) -> None:
    """A few transactions as the services make them."""
    bot, update, job = BotId(number), UpdateId(time.monotonic_ns()), make_envelope(job_id=JobId(f"job {number}"))
    async with pool.transaction("update") as tx:
        assert await inbox.mark(tx, bot, update)
        dialogue = await dialogues.lock(tx, bot, USER_ID)
        await users.see(tx, make_person(user_id=number))
        await dialogues.save(tx, dialogue)
        await feedback.add(tx, bot, USER_ID, "bug", "text")
        await replies.add(tx, [make_reply(bot_id=bot, update_id=update)], "me")
    async with pool.transaction("reply") as tx:
        [reply] = await replies.claim(tx, bot, update, "me")
        await replies.again(tx, reply)
        await replies.settle(tx, reply, "sent", message_id=1)
    async with pool.transaction("jobs") as tx:
        await outbox.add(tx, job, order=(f"{number}", update))
        await dead_letters.add(tx, job, cause="rejected", reason="because")
        await quarantine.keep(tx, bot, str(update).encode(), "not JSON")
        await outbox.published(tx, await outbox.due(tx, 10))
    async with pool.transaction("bot") as tx:
        await bots.save(tx, make_bot(bot_id=bot, username="b" * (number + 1)))
        assert await bots.get(tx, bot) is not None


async def mark_then(pool: Pool, act: Callable[[], None]) -> None:
    async with pool.transaction("test") as tx:
        assert await inbox.mark(tx, BotId(1), UpdateId(1))
        act()


async def sleep_in_transaction(pool: Pool) -> None:
    async with pool.transaction("asleep") as tx:
        await tx.execute("SELECT pg_sleep(30)")


async def all_asleep(pool: Pool, number: int) -> bool:
    async with pool.transaction("look") as tx:
        return bool(await tx.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == number)
