"""A database that one test after the other finds as new: emptied in between, which costs a tenth of a clone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import Any, Final

import asyncpg

_TIMEOUT: Final = 10.0  # seconds
_PATIENCE: Final = 0.3  # seconds; how long a connection that was closed may take to be gone
_OTHERS: Final = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
_TABLES: Final = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
_RESTART: Final = """SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE last_value IS NOT NULL"""
# What a test has done to the schema, or to the planner's statistics: TRUNCATE itself writes to none of these.
_SHAPE: Final = "UNION ALL ".join(
    f"SELECT '{catalog}', count(*), max(xmin::text::bigint) FROM {catalog} WHERE {which} "  # noqa: S608 (our own names)
    for catalog, which in {
        "pg_attribute": "true",
        "pg_constraint": "true",
        "pg_trigger": "true",
        "pg_proc": "true",
        "pg_statistic": "starelid >= 16384",
    }.items()
)


class Recycler:
    """Hands the same database out again while nobody is left in it and nothing but rows was changed; else a new one."""

    def __init__(self, fresh: Callable[[], AbstractAsyncContextManager[str]]) -> None:
        self._fresh = fresh
        self._url: str | None = None
        self._belongings = AsyncExitStack()

    async def take(self) -> str:
        """Its URL."""
        if self._url is None:
            try:
                self._url = await self._new()
            except BaseException:
                await self.close()
                raise
        return self._url

    async def give_back(self) -> None:
        """Emptied for the next, or dropped."""
        try:
            as_new = await self._is_left() and await self._emptied()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            as_new = False
        if not as_new:
            await self.close()

    async def close(self) -> None:
        """Dropped; the next one is new."""
        self._url = None
        await self._belongings.aclose()

    async def _new(self) -> str:
        url = await self._belongings.enter_async_context(self._fresh())
        self._connection = await asyncpg.connect(url, timeout=_TIMEOUT, command_timeout=_TIMEOUT)
        self._belongings.push_async_callback(self._connection.close, timeout=_TIMEOUT)
        with suppress(asyncpg.InsufficientPrivilegeError):  # then each test that wrote to it costs a clone
            await self._connection.execute("SET session_replication_role = replica")  # the audit's trigger rests
        await self._learn()
        return url

    async def _learn(self) -> None:
        tables = [row["relname"] for row in await self._connection.fetch(_TABLES)]
        looks = ", ".join(f"CASE WHEN EXISTS (SELECT FROM {table}) THEN '{table}' END" for table in tables)
        self._look = f"SELECT array_remove(ARRAY[{looks}], NULL)"
        self._seeds = {table: await self._rows(table) for table in await self._connection.fetchval(self._look)}
        self._shape = await self._connection.fetch(_SHAPE)

    async def _is_left(self) -> bool:
        for _ in range(int(_PATIENCE / 0.01)):
            if not await self._connection.fetchval(_OTHERS):
                return True
            await asyncio.sleep(0.01)
        return False

    async def _emptied(self) -> bool:
        filled = [table for table in await self._connection.fetchval(self._look) if table not in self._seeds]
        if filled:
            await self._connection.execute(f"TRUNCATE {', '.join(filled)} CASCADE")
        await self._connection.execute(_RESTART)
        return await self._connection.fetch(_SHAPE) == self._shape and all(
            [await self._rows(table) == rows for table, rows in self._seeds.items()]
        )

    async def _rows(self, table: str) -> list[Any]:
        return await self._connection.fetch(f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608 (a table of ours)
