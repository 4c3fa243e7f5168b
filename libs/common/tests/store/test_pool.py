"""Transactions: what they translate, what they hold, what they give back."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from common.errors import StoreUnavailable
from common.store.pool import Pool, Tx
from common.testing.pgbouncer import pgbouncer
from common.testing.polling import eventually
from common.testing.postgres import Database, make_pool
from common.testing.tcp_proxy import TcpProxy
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


async def test_an_error_rolls_everything_back(db: Database) -> None:
    with pytest.raises(KeyError):
        await fail_after_insert(db.pool)
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM users") == 0


@given(value=json)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(value={"topic": "\\u0000"})
@example(value="C:\\\\u0000\0")
async def test_jsonb_gives_back_what_it_was_given_save_nul(db: Database, value: Any) -> None:
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT $1::jsonb", value) == without_nul(value)


async def test_a_value_that_no_column_can_hold_is_no_outage(db: Database) -> None:
    """A consumer holds a job for an outage, for ever: such a job would keep its place in the prefetch."""
    with pytest.raises(asyncpg.DataError):
        async with db.transaction() as tx:
            await tx.execute("SELECT $1::bigint", 2**70)


@pytest.mark.parametrize(
    "statement",
    ["SELECT pg_terminate_backend(pg_backend_pid())", "SELECT pg_sleep(5)"],
    ids=["terminated", "too-slow"],
)
async def test_the_servers_troubles_have_one_name(db: Database, statement: str) -> None:
    pool = make_pool(db.url, timeout=0.5)
    with pytest.raises(StoreUnavailable):
        async with pool.transaction("test") as tx:
            await tx.execute(statement)
    await pool.ping()
    await pool.close()


async def test_a_deadlock_is_an_outage_for_its_victim(db: Database) -> None:
    pool = make_pool(db.url, timeout=10)
    async with db.transaction() as tx:
        await tx.execute("CREATE TABLE stones (n int PRIMARY KEY); INSERT INTO stones VALUES (1), (2)")
    both = asyncio.Barrier(2)

    async def take(first: int, second: int) -> None:
        async with pool.transaction("test") as tx:
            await tx.execute("UPDATE stones SET n = n WHERE n = $1", first)
            await both.wait()
            await tx.execute("UPDATE stones SET n = n WHERE n = $1", second)

    ends = await asyncio.gather(take(1, 2), take(2, 1), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [StoreUnavailable]
    await pool.close()


async def test_nobody_there_is_said_without_the_password() -> None:
    pool = Pool("postgresql://u:canary@127.0.0.1:1/d", name="t", max_size=1, timeout=1)
    with pytest.raises(StoreUnavailable) as refused:
        await pool.ping()
    assert "canary" not in str(refused.value)
    await pool.close()


@pytest.mark.parametrize(
    ("old", "new"), [("//muster", "//nobody"), ("/muster_test", "/not_muster_test")], ids=["user", "database"]
)
async def test_a_door_that_is_closed_is_an_outage(db: Database, old: str, new: str) -> None:
    """While a password is changed or a database moved, jobs wait instead of using their attempts up."""
    pool = Pool(db.url.replace(old, new), name="t", max_size=1, timeout=5)
    with pytest.raises(StoreUnavailable):
        await pool.ping()
    await pool.close()


async def test_waiting_for_a_connection_has_an_end(db: Database) -> None:
    pool = make_pool(db.url, max_size=1, timeout=0.3)
    async with pool.transaction("first"):
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await pool.ping()
        assert time.monotonic() - started < 1
    await pool.ping()
    await pool.close()


async def test_those_who_wait_for_the_first_connection_wait_no_longer_than_each_may() -> None:
    """One after the other they would wait for the sum of it, behind one lock."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never says a word
        pool = make_pool(f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/d", timeout=0.3)
        started = time.monotonic()
        results = await asyncio.gather(*(pool.ping() for _ in range(10)), return_exceptions=True)
        assert time.monotonic() - started < 1
    assert {type(result) for result in results} == {StoreUnavailable}
    await pool.close()


async def test_no_connection_is_opened_before_it_is_needed_nor_more_than_allowed(db: Database) -> None:
    async with TcpProxy.before(db.url) as proxy:
        pool = make_pool(proxy.through(db.url), max_size=3)
        assert proxy.accepted == 0
        await asyncio.gather(*(pool.ping() for _ in range(20)))
        assert proxy.accepted <= 1 + 3  # one asks whom it talks to, and goes
        await pool.close()
        await eventually(lambda: proxy.connections == 0)


async def test_concurrent_first_uses_open_one_pool(db: Database) -> None:
    pool = make_pool(db.url, max_size=1)
    await asyncio.gather(*(pool.ping() for _ in range(10)))
    ours = "application_name = 'muster-test' AND datname = current_database()"

    async def alone() -> bool:  # the one that asked whom it talks to takes a moment to be gone
        async with pool.transaction("look") as tx:
            found: int = await tx.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {ours}")  # noqa: S608
            return found == 1

    await eventually(alone)
    await pool.close()


async def test_close_does_not_wait_for_what_hangs(db: Database) -> None:
    async with TcpProxy.before(db.url) as proxy:
        pool = make_pool(proxy.through(db.url), timeout=0.3)
        await pool.ping()
        proxy.freeze()
        started = time.monotonic()
        await pool.close()
        assert time.monotonic() - started < 1


async def test_a_closed_pool_opens_again_when_it_is_asked(db: Database) -> None:
    await db.pool.close()
    await db.pool.ping()


async def test_a_span_names_the_transaction_and_nothing_of_its_data(db: Database, spans: InMemorySpanExporter) -> None:
    with trace.get_tracer("test").start_as_current_span("job"), pytest.raises(asyncpg.PostgresError):
        async with db.transaction() as tx:
            await tx.execute("SELECT $1::text::int", "canary")
    [span] = [each for each in spans.get_finished_spans() if each.name == "postgres test"]
    assert span.kind is trace.SpanKind.CLIENT
    assert "canary" not in span.to_json()


async def fail_after_insert(pool: Pool) -> None:
    async with pool.transaction("test") as tx:
        await insert_user(tx)
        raise KeyError


async def insert_user(tx: Tx) -> None:
    await tx.execute("INSERT INTO users (user_id, first_name) VALUES (1, 'Ada')")


def without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [without_nul(each) for each in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(each) for key, each in value.items()}
    return value


async def prepared(pool: Pool) -> int:
    """How many statements the server keeps for a session that has run one twice."""
    for _ in range(2):
        async with pool.transaction("test") as tx:
            await tx.fetchval("SELECT $1::int", 1)
    async with pool.transaction("test") as tx:
        return int(await tx.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1::int'"))


async def test_statements_stay_prepared_where_nobody_pools(db: Database) -> None:
    assert await prepared(db.pool) == 1


async def test_none_stays_prepared_behind_a_pooler(db: Database) -> None:
    async with pgbouncer(db.url) as pooled:
        pool = make_pool(pooled)
        assert await prepared(pool) == 0
        await pool.close()


@pytest.mark.parametrize("pooled", [False, True], ids=["direct", "pooled"])
async def test_who_is_frozen_in_a_transaction_keeps_its_locks_for_five_seconds(db: Database, *, pooled: bool) -> None:
    """A stopped process or a cut network: they would last until TCP gives up."""
    async with AsyncExitStack() as stack:
        pool = make_pool(await stack.enter_async_context(pgbouncer(db.url)) if pooled else db.url)
        stack.push_async_callback(pool.close)
        async with db.transaction() as tx:
            await insert_user(tx)
        with pytest.raises(StoreUnavailable):
            await freeze(pool, db)
        await pool.ping()  # the next one has a whole connection


async def freeze(pool: Pool, db: Database) -> None:
    async with pool.transaction("frozen") as frozen:
        await frozen.execute("UPDATE users SET first_name = 'Grace'")
        patient = make_pool(db.url, timeout=8)
        async with patient.transaction("another") as tx:
            await tx.execute("UPDATE users SET first_name = 'Joan'")
        await patient.close()


async def test_a_migration_costs_a_prepared_statement_one_attempt(db: Database) -> None:
    async def read() -> None:
        async with db.pool.transaction("test") as tx:
            await tx.fetch("SELECT * FROM changing")

    async with db.transaction() as tx:
        await tx.execute("CREATE TABLE changing (a int)")
    await read()
    async with db.transaction() as tx:
        await tx.execute("ALTER TABLE changing ADD COLUMN b int")
    with pytest.raises(StoreUnavailable):
        await read()
    await read()
