"""Applies the numbered SQL files, forward only, each in a transaction of its own, under a lock, checked by checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from common.errors import MusterError
from common.store.pool import Pool, Tx

# Transaction-scoped: a session lock would be granted to several through a transaction-mode pooler (reliability B5).
_LOCK = 7_286_837_810


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
        async with pool.transaction("migrate") as tx:
            if await _pending(tx, migration, {m.number for m in migrations}):
                done.append(migration.name)
                if not dry_run:
                    await _apply(tx, migration)
    return done


async def _pending(tx: Tx, migration: Migration, known: set[int]) -> bool:
    await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
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


async def _apply(tx: Tx, migration: Migration) -> None:
    await tx.execute(
        """CREATE TABLE IF NOT EXISTS schema_migrations (
               number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
               applied_at timestamptz NOT NULL DEFAULT now())"""
    )
    await tx.execute("SET LOCAL lock_timeout = '5s'")
    await tx.execute(migration.sql)
    await tx.execute(
        "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
        migration.number,
        migration.name,
        migration.checksum,
    )
