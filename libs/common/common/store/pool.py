"""Transactions on PostgreSQL, plain or behind a transaction-mode pooler: no session state, prepared statements only
where nobody pools, all time-boxed.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import TypeAlias

import asyncpg
from opentelemetry import trace
from pydantic_core import from_json, to_json

from common.errors import StoreUnavailable
from common.store import dsn
from common.telemetry import metrics
from common.telemetry.spans import CurrentSpan

Tx: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
_tracer = trace.get_tracer("muster.store")
_STATEMENTS = 100  # kept prepared by each connection
# Longer than anything that is done between two statements, and as long as a lease: whoever is frozen or cut off in a
# transaction would keep its locks until TCP gives up.
_FROZEN = "5s"
# Sessions of our own: what takes 10 ms would be compiled for 250 ms where the planner fears it.
_OURS = {"jit": "off", "idle_in_transaction_session_timeout": _FROZEN}
_NUL = re.compile(r"(\\\\)|\\u0000")

# What says "the server, not the statement": gone, going, full, or cut off in the middle.
_SERVER_TROUBLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # a process that was frozen in a transaction
    asyncpg.TransactionRollbackError,  # a deadlock's victim: nothing of it is there, and once more it may go well
    asyncpg.InvalidAuthorizationSpecificationError,  # a password that is being changed, a database that is being moved
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,  # a migration ran meanwhile: prepared anew by the next transaction
)


class Pool:
    """Opens on first use, under a lock, bound to the running loop; holds no connection while idle.

    `timeout` bounds one statement and the wait for a connection, in seconds.
    """

    def __init__(self, url: str, *, name: str, max_size: int, timeout: float) -> None:
        self._url = dsn.clean(url)
        self._name = name
        self._max_size = max_size
        self._timeout = timeout
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._direct = True
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self, name: str) -> AsyncIterator[Tx]:
        """One transaction, traced as `postgres <name>` inside a job or request. PostgreSQL ends one that does nothing
        for five seconds.

        StoreUnavailable for the server's troubles: at the end of the block the commit is then in doubt.
        """
        with _span(name), _translated():
            started = time.perf_counter()
            async with asyncio.timeout(self._timeout):  # over the wait for others who open it, too
                pool = await self._open()
            async with pool.acquire(timeout=self._timeout) as connection:
                metrics.ACQUIRE_SECONDS.observe(time.perf_counter() - started)
                async with connection.transaction():
                    if not self._direct:  # a round trip more: poolers refuse it at the connection's start
                        await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{_FROZEN}'")
                    yield connection

    async def apart(self, statement: str) -> None:
        """On a connection of its own and in no transaction, for what PostgreSQL runs in none."""
        with _translated():
            connection = await asyncpg.connect(self._url, timeout=self._timeout, command_timeout=self._timeout)
            try:
                await connection.execute(statement)
            finally:
                await connection.close(timeout=self._timeout)

    async def ping(self) -> None:
        """StoreUnavailable unless a query is answered."""
        async with self.transaction("ping") as tx:
            await tx.fetchval("SELECT 1")

    async def close(self) -> None:
        """Ends every connection; those that hang are cut after the timeout."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(self._timeout):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def _open(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._pool is not None:
            return self._pool
        async with self._opening:
            if self._pool is None:
                self._direct = await self._is_direct()
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=self._max_size,
                    timeout=self._timeout,
                    command_timeout=self._timeout,
                    # A statement that is prepared already costs half: one round trip, and no planning.
                    statement_cache_size=_STATEMENTS if self._direct else 0,
                    max_inactive_connection_lifetime=30,
                    server_settings={"application_name": self._name} | (_OURS if self._direct else {}),
                    init=_prepare,
                    reset=_nothing,  # asyncpg's default costs a round trip a transaction; we leave no session state
                )
            return self._pool

    async def _is_direct(self) -> bool:
        # A pooler makes up the process it speaks for, and has another server session for each transaction.
        connection = await asyncpg.connect(self._url, timeout=self._timeout, statement_cache_size=0)
        try:
            return bool(await connection.fetchval("SELECT pg_backend_pid() = $1", connection.get_server_pid()))
        finally:
            await connection.close(timeout=self._timeout)


def _span(name: str) -> AbstractContextManager[object]:
    # The loops that only look would drown the traces: they look several times a second and find nothing.
    if not trace.get_current_span().get_span_context().is_valid:
        return nullcontext()
    attributes = {"db.system.name": "postgresql", "db.operation.name": name}
    return CurrentSpan(_tracer, f"postgres {name}", trace.SpanKind.CLIENT, attributes=attributes)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _SERVER_TROUBLE as error:
        raise StoreUnavailable(f"PostgreSQL: {type(error).__name__}") from None


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.set_type_codec("jsonb", encoder=_encode, decoder=from_json, schema="pg_catalog", format="text")


async def _nothing(_: object) -> None:
    return


def _encode(value: object) -> str:
    # PostgreSQL stores no NUL in jsonb; Telegram sends none, but anybody may post one (reliability D4). A pair of
    # backslashes is a user's own backslash, and what follows it is text.
    return _NUL.sub(lambda found: found[1] or "", to_json(value).decode())
