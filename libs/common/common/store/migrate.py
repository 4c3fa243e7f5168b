"""Applies the numbered SQL files, forward only, each in a transaction of its own, under a lock, checked by checksum.

A file of nothing but `CREATE INDEX CONCURRENTLY IF NOT EXISTS` is built beside writers instead, index by index.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from common.errors import MusterError
from common.store.pool import Pool, Tx

# Transaction-scoped: a session lock would be granted to several through a transaction-mode pooler (reliability B5).
_LOCK = 7_286_837_810
_LOOK = 0.2  # seconds between tries for it
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+)\s.+", re.DOTALL)


class MigrationError(MusterError):
    """The database's history and the files differ: a released migration is never edited, add a new one."""


@dataclass(frozen=True)
class Migration:
    """One file, `NNNN_name.sql`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Of the text as it is applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def indexes(self) -> dict[str, str]:
        """By name, the statements of a file that only builds indexes beside writers; none of any other file."""
        statements = [text.strip() for text in re.sub(r"--.*", "", self.sql).split(";")]
        found = [_INDEX.fullmatch(text) for text in statements if text]
        return {index[1]: index[0] for index in found if index} if all(found) else {}


def available() -> list[Migration]:
    """The files shipped in this package, in order."""
    entries = sorted(
        (f for f in files("common.store").joinpath("migrations").iterdir() if f.name.endswith(".sql")),
        key=lambda f: f.name,
    )
    return [Migration(int(f.name[:4]), f.name.removesuffix(".sql"), f.read_text("utf-8")) for f in entries]


async def migrate(pool: Pool, migrations: Sequence[Migration], *, dry_run: bool = False) -> list[str]:
    """The names applied (or that would be); MigrationError where a file was changed or lost after it was applied."""
    done = []
    for migration in migrations:
        async with _locked(pool) as tx:
            if await _pending(tx, migration, {m.number for m in migrations}):
                done.append(migration.name)
                if not dry_run:
                    await _apply(pool, tx, migration)
    return done


@asynccontextmanager
async def _locked(pool: Pool) -> AsyncIterator[Tx]:
    # Tried, not waited for: a statement that waits has a snapshot, and an index that is built beside it waits for that.
    while True:
        async with pool.transaction("migrate") as tx:
            if await tx.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                yield tx
                return
        await asyncio.sleep(_LOOK)


async def _pending(tx: Tx, migration: Migration, known: set[int]) -> bool:
    rows = await _history(tx)
    lost = [row["name"] for number, row in rows.items() if number < migration.number and number not in known]
    if lost:
        raise MigrationError(f"{lost[0]} was applied and its file is gone: restore it")
    applied = rows.get(migration.number)
    if applied is None:
        newer = [row["name"] for number, row in rows.items() if number > migration.number and number in known]
        if newer:
            raise MigrationError(
                f"{migration.name} comes before {newer[0]}, which is applied already: give it a higher number"
            )
        return True
    if applied["checksum"] != migration.checksum:
        raise MigrationError(f"{migration.name} was edited after it was applied: restore it and add a new migration")
    return False


async def _history(tx: Tx) -> dict[int, asyncpg.Record]:
    if await tx.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return {}
    return {row["number"]: row for row in await tx.fetch("SELECT number, name, checksum FROM schema_migrations")}


async def _apply(pool: Pool, tx: Tx, migration: Migration) -> None:
    await tx.execute(
        """CREATE TABLE IF NOT EXISTS schema_migrations (
               number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
               applied_at timestamptz NOT NULL DEFAULT now())"""
    )
    if migration.indexes:
        await _build(pool, tx, migration.indexes)
    else:
        await tx.execute("SET LOCAL lock_timeout = '5s'")
        await tx.execute(migration.sql)
    await tx.execute(
        "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
        migration.number,
        migration.name,
        migration.checksum,
    )


async def _build(pool: Pool, tx: Tx, indexes: Mapping[str, str]) -> None:
    """`tx` only keeps the lock; what a crash left of an index is dropped first, for no query uses it."""
    broken = await tx.fetch(
        """SELECT indexrelid::regclass::text AS name FROM pg_index
           WHERE NOT indisvalid AND indexrelid::regclass::text = ANY($1)""",
        list(indexes),
    )
    # After the question: a statement with values keeps its snapshot until the next one, and each index waits for that.
    await tx.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    for index in broken:
        await pool.apart(f"DROP INDEX CONCURRENTLY {index['name']}")
    for statement in indexes.values():
        await pool.apart(statement)
