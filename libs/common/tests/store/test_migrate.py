"""Numbered files, applied once, in order, by one migrator at a time."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import asyncpg
import pytest
from common.store.migrate import Migration, MigrationError, available, migrate
from common.testing.pgbouncer import pgbouncer
from common.testing.polling import eventually
from common.testing.postgres import Database, make_pool

ONE = Migration(1, "0001_one", "CREATE TABLE one (id int)")
TWO = Migration(2, "0002_two", "CREATE TABLE two (id int); INSERT INTO two VALUES (2)")
THREE = Migration(3, "0003_three", "CREATE TABLE three (id int)")
INDEXES = Migration(
    2,
    "0002_indexes",
    """-- What is looked up; quickly.
    CREATE INDEX CONCURRENTLY IF NOT EXISTS one_id ON one (id);
    CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_once ON one (id);""",
)


async def tables(db: Database) -> set[str]:
    async with db.transaction() as tx:
        rows = await tx.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in rows}


async def indexes(db: Database) -> dict[str, bool]:
    """And whether queries may use them."""
    async with db.transaction() as tx:
        rows = await tx.fetch(
            "SELECT relname, indisvalid FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relname LIKE 'one%'"
        )
    return {row["relname"]: row["indisvalid"] for row in rows}


async def test_only_what_is_missing_is_applied(empty_db: Database) -> None:
    assert await migrate(empty_db.pool, [ONE]) == ["0001_one"]
    assert await migrate(empty_db.pool, [ONE, TWO]) == ["0002_two"]
    assert await migrate(empty_db.pool, [ONE, TWO]) == []
    assert await tables(empty_db) == {"one", "two", "schema_migrations"}


async def test_a_dry_run_names_them_and_touches_nothing(empty_db: Database) -> None:
    assert await migrate(empty_db.pool, [ONE, TWO], dry_run=True) == ["0001_one", "0002_two"]
    assert await tables(empty_db) == set()
    await migrate(empty_db.pool, [ONE])
    assert await migrate(empty_db.pool, [ONE, TWO], dry_run=True) == ["0002_two"]


async def test_a_file_that_was_edited_after_it_was_applied_is_refused(empty_db: Database) -> None:
    await migrate(empty_db.pool, [ONE])
    with pytest.raises(MigrationError, match="0001_one was edited"):
        await migrate(empty_db.pool, [replace(ONE, sql=ONE.sql + " "), TWO])
    assert "two" not in await tables(empty_db)


async def test_a_number_below_an_applied_one_is_refused(empty_db: Database) -> None:
    await migrate(empty_db.pool, [ONE, THREE])
    with pytest.raises(MigrationError, match="0002_two comes before 0003_three"):
        await migrate(empty_db.pool, [ONE, TWO, THREE])
    assert "two" not in await tables(empty_db)


async def test_a_file_that_was_lost_after_it_was_applied_is_refused(empty_db: Database) -> None:
    await migrate(empty_db.pool, [ONE, TWO, THREE])
    with pytest.raises(MigrationError, match="0002_two"):
        await migrate(empty_db.pool, [ONE, THREE])


async def test_an_older_release_runs_on_a_newer_schema(empty_db: Database) -> None:
    await migrate(empty_db.pool, [ONE, TWO])
    assert await migrate(empty_db.pool, [ONE]) == []


async def test_a_file_that_fails_leaves_nothing_of_itself(empty_db: Database) -> None:
    broken = replace(TWO, sql=TWO.sql + "; SELECT nonsense")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(empty_db.pool, [ONE, broken, THREE])
    assert await tables(empty_db) == {"one", "schema_migrations"}
    assert await migrate(empty_db.pool, [ONE, TWO, THREE]) == ["0002_two", "0003_three"]


async def test_migrators_at_the_same_time_apply_each_file_once(empty_db: Database) -> None:
    pools = [make_pool(empty_db.url, max_size=1) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(pool, [ONE, TWO, THREE]) for pool in pools))
    assert sorted(name for names in applied for name in names) == ["0001_one", "0002_two", "0003_three"]
    await asyncio.gather(*(pool.close() for pool in pools))


async def test_a_lock_that_is_not_to_be_had_ends_the_migration_instead_of_the_service(empty_db: Database) -> None:
    await migrate(empty_db.pool, [ONE])
    waits = Migration(2, "0002_waits", "SELECT current_setting('lock_timeout') INTO seen")
    await migrate(empty_db.pool, [ONE, waits])
    async with empty_db.transaction() as tx:
        assert await tx.fetchval("SELECT current_setting FROM seen") == "5s"


async def test_an_index_is_built_beside_writers(empty_db: Database) -> None:
    await migrate(empty_db.pool, [ONE])
    async with empty_db.transaction() as earlier:
        await earlier.execute("INSERT INTO one VALUES (1)")
        building = asyncio.create_task(migrate(empty_db.pool, [ONE, INDEXES]))
        await eventually(lambda: indexes(empty_db))  # it waits for the writer who came before it
        async with empty_db.transaction() as later:
            await later.execute("SET LOCAL lock_timeout = '1s'")
            await later.execute("INSERT INTO one VALUES (2)")
    assert await building == ["0002_indexes"]
    assert await indexes(empty_db) == {"one_id": True, "one_once": True}
    assert await migrate(empty_db.pool, [ONE, INDEXES]) == []


async def test_what_a_crash_left_of_an_index_is_built_again(empty_db: Database) -> None:
    await migrate(empty_db.pool, [ONE])
    async with empty_db.transaction() as tx:
        await tx.execute("INSERT INTO one VALUES (1), (1)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await migrate(empty_db.pool, [ONE, INDEXES])
    assert await indexes(empty_db) == {"one_id": True, "one_once": False}
    async with empty_db.transaction() as tx:
        await tx.execute("DELETE FROM one")
    assert await migrate(empty_db.pool, [ONE, INDEXES]) == ["0002_indexes"]
    assert await indexes(empty_db) == {"one_id": True, "one_once": True}


async def test_migrators_that_build_indexes_wait_for_each_other(empty_db: Database) -> None:
    """Who waits must not be waited for: the index is built after all statements that are older."""
    async with pgbouncer(empty_db.url, server_connections=5) as url:
        pools = [make_pool(each, max_size=1) for each in (url, url, empty_db.url)]
        applied = await asyncio.gather(*(migrate(pool, [ONE, INDEXES, THREE]) for pool in pools))
        assert sorted(name for names in applied for name in names) == ["0001_one", "0002_indexes", "0003_three"]
        await asyncio.gather(*(pool.close() for pool in pools))


async def test_an_index_beside_writers_shares_its_file_with_nothing_else(empty_db: Database) -> None:
    mixed = replace(INDEXES, sql=INDEXES.sql + "CREATE TABLE two (id int);")
    await migrate(empty_db.pool, [ONE])
    with pytest.raises(asyncpg.ActiveSQLTransactionError, match="CONCURRENTLY"):
        await migrate(empty_db.pool, [ONE, mixed])
    assert await tables(empty_db) == {"one", "schema_migrations"}


def test_the_shipped_files_block_no_writers_for_an_index() -> None:
    for each in available():
        made = set(re.findall(r"CREATE TABLE (\w+)", each.sql))
        indexed = set(re.findall(r"INDEX \w+ ON (\w+)", each.sql))
        assert bool(each.indexes) or indexed <= made, f"{each.name}: CREATE INDEX CONCURRENTLY, in a file of its own"


def test_the_shipped_files_are_numbered_without_a_gap() -> None:
    migrations = available()
    assert [each.number for each in migrations] == list(range(1, len(migrations) + 1))
    assert all(each.name.startswith(f"{each.number:04}_") for each in migrations)
