"""A database that is handed out again is as a new one, and one that is not any more is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from common.testing.postgres import fresh_database, make_pool
from common.testing.recycling import Recycler
from common.testing.servers import needed

BOT = "INSERT INTO bots (bot_id, username, token, token_key) VALUES (7, 'b', 'x', 'k1')"
GROUP = "INSERT INTO groups (bot_id, chat_id) VALUES (7, -1) RETURNING group_id"
AUDIT = "INSERT INTO audit (actor, action, object) VALUES ('me', 'bot.add', 'bot:7')"


@pytest.fixture
async def recycler(database_template: str) -> AsyncIterator[Recycler]:
    """On this test's own loop."""
    ours = Recycler(lambda: fresh_database(needed("DATABASE_URL"), template=database_template))
    yield ours
    await ours.close()


async def done(url: str, *statements: str) -> int:
    """The last one's value."""
    pool = make_pool(url)
    async with pool.transaction("test") as tx:
        values = [await tx.fetchval(statement) for statement in statements]
    await pool.close()
    return int(values[-1] or 0)


async def test_the_next_one_finds_no_rows_and_counts_from_one(recycler: Recycler) -> None:
    first = await recycler.take()
    assert await done(first, BOT, AUDIT, GROUP) == 1
    await recycler.give_back()
    assert await recycler.take() == first
    for table in ("bots", "groups", "audit"):
        assert await done(first, f"SELECT count(*) FROM {table}") == 0  # noqa: S608 (our own names)
    assert await done(first, BOT, GROUP) == 1


async def test_a_number_that_was_drawn_and_not_used_is_drawn_again(recycler: Recycler) -> None:
    url = await recycler.take()
    assert await done(url, BOT, GROUP, "DELETE FROM groups", "SELECT nextval('groups_group_id_seq')") == 2
    await recycler.give_back()
    assert await done(await recycler.take(), BOT, GROUP) == 1


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE bots ADD COLUMN odd int",
        "CREATE TABLE odd (id int)",
        "ALTER TABLE bots DROP CONSTRAINT bots_pkey CASCADE",
        "CREATE FUNCTION odd() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        f"{BOT}; ANALYZE bots",
        "DELETE FROM schema_migrations",
    ],
)
async def test_what_was_changed_otherwise_is_not_handed_out_again(recycler: Recycler, change: str) -> None:
    first = await recycler.take()
    connection = await asyncpg.connect(first)
    await connection.execute(change)
    await connection.close()
    await recycler.give_back()
    second = await recycler.take()
    assert second != first
    assert await done(second, "SELECT count(*) FROM schema_migrations") > 0


async def test_nobody_comes_in_where_another_still_is(recycler: Recycler) -> None:
    first = await recycler.take()
    stranger = await asyncpg.connect(first)
    await recycler.give_back()
    assert await recycler.take() != first
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await stranger.fetch("SELECT 1")
    await stranger.close()


async def test_a_connection_that_is_being_closed_is_waited_for(recycler: Recycler) -> None:
    first = await recycler.take()
    last = await asyncpg.connect(first)
    closing = asyncio.create_task(closed_soon(last))
    await recycler.give_back()
    await closing
    assert await recycler.take() == first


async def closed_soon(connection: asyncpg.Connection) -> None:
    await asyncio.sleep(0.05)
    await connection.close()
