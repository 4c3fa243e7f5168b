"""pytest plugin: a database for each test that is as new, with all migrations applied."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest_asyncio

from common.store.migrate import available, migrate
from common.store.pool import Pool, Tx
from common.testing.recycling import Recycler
from common.testing.servers import needed

_TIMEOUT = 10.0  # seconds


@dataclass(frozen=True)
class Database:
    """One test's own: nobody else sees it, so nothing in it has to be cleaned up."""

    url: str
    pool: Pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """For arranging and looking."""
        async with self.pool.transaction("test") as tx:
            yield tx


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template() -> AsyncIterator[str]:
    """The name of this worker's template; made once, for migrations take longer than a clone."""
    server = needed("DATABASE_URL")
    async with fresh_database(server) as url:
        pool = make_pool(url)
        await migrate(pool, available())
        await pool.close()
        yield urlsplit(url).path[1:]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def recycler(database_template: str) -> AsyncIterator[Recycler]:
    """This worker's, for one test at a time."""
    ours = Recycler(lambda: fresh_database(needed("DATABASE_URL"), template=database_template))
    yield ours
    await ours.close()


@pytest_asyncio.fixture(loop_scope="session")
async def database_url(recycler: Recycler) -> AsyncIterator[str]:
    """A real database with Muster's schema and no rows: for tests that run a loop of their own."""
    yield await recycler.take()
    await recycler.give_back()


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """The same, and a pool on it."""
    pool = make_pool(database_url)
    yield Database(database_url, pool)
    await pool.close()


@pytest_asyncio.fixture
async def empty_db() -> AsyncIterator[Database]:
    """Without any table: for what makes the tables."""
    async with fresh_database(needed("DATABASE_URL")) as url:
        pool = make_pool(url)
        yield Database(url, pool)
        await pool.close()


def make_pool(url: str, *, max_size: int = 10, timeout: float = _TIMEOUT) -> Pool:
    """As a service makes its own."""
    return Pool(url, name="muster-test", max_size=max_size, timeout=timeout)


@asynccontextmanager
async def fresh_database(server: str, *, template: str = "template1") -> AsyncIterator[str]:
    """The URL of a new database on that server, dropped afterwards whoever is still connected."""
    name = f"muster_test_{uuid.uuid4().hex}"
    async with _administering(server) as connection:
        # Copying files costs half of writing them to the log; where fsync is off their checkpoint is nothing.
        how = " STRATEGY FILE_COPY" if connection.get_server_version().major >= 15 else ""
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"{how}')
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        async with _administering(server) as connection:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@asynccontextmanager
async def _administering(server: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(server, timeout=_TIMEOUT)
    try:
        yield connection
    finally:
        await connection.close(timeout=_TIMEOUT)
