"""Bots, users, dialogues, feedback and quarantine: small tables, each with its rule."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from common.ids import BotId
from common.records import Dialogue
from common.store import bots, dialogues, feedback, quarantine, users
from common.testing.builders import BOT_ID, USER_ID, make_bot, make_person
from common.testing.postgres import Database


async def test_a_bot_comes_back_as_it_was_saved(db: Database) -> None:
    async with db.transaction() as tx:
        await bots.save(tx, make_bot())
        await bots.save(tx, make_bot(bot_id=BotId(2)))
        assert await bots.get(tx, BOT_ID) == make_bot()
        assert await bots.get(tx, BotId(3)) is None
        assert [bot.bot_id for bot in await bots.everyone(tx)] == [2, BOT_ID]


async def test_a_new_token_makes_a_revoked_bot_active_again(db: Database) -> None:
    async with db.transaction() as tx:
        await bots.save(tx, make_bot())
        await bots.revoke(tx, BOT_ID, make_bot().token)
        revoked = await bots.get(tx, BOT_ID)
        assert revoked is not None
        assert revoked.state == "revoked"
        await bots.save(tx, make_bot(token=b"another"))
        assert await bots.get(tx, BOT_ID) == make_bot(token=b"another")


async def test_a_person_is_written_only_when_something_changed(db: Database) -> None:
    async with db.transaction() as tx:
        await users.see(tx, make_person())
        first = await tx.fetchrow("SELECT ctid::text, * FROM users")
        await users.see(tx, make_person())
        assert await tx.fetchrow("SELECT ctid::text, * FROM users") == first
        await users.see(tx, make_person(username="ada"))
        assert await tx.fetchval("SELECT username FROM users") == "ada"
        await users.see(tx, make_person(username=None))
        assert await tx.fetchval("SELECT username FROM users") is None


async def test_a_dialogue_is_made_on_first_sight_and_comes_back_as_it_was_saved(db: Database) -> None:
    async with db.transaction() as tx:
        new = await dialogues.lock(tx, BOT_ID, USER_ID)
        assert (new.status, new.state, new.data, new.window_count) == ("new", None, {}, 0)
        changed = replace(
            new, status="active", language="de", state="feedback:text", data={"topic": "\\u0000"}, start_payload="ref_a"
        )
        await dialogues.save(tx, changed)
        assert await dialogues.lock(tx, BOT_ID, USER_ID) == changed
        await dialogues.set_status(tx, BOT_ID, USER_ID, "blocked")
        assert (await dialogues.lock(tx, BOT_ID, USER_ID)).status == "blocked"


async def test_a_dialogues_lock_orders_transactions_and_sees_what_the_one_before_saved(db: Database) -> None:
    async def count() -> None:
        async with db.pool.transaction("test") as tx:
            dialogue = await dialogues.lock(tx, BOT_ID, USER_ID)
            await asyncio.sleep(0)
            await dialogues.save(tx, replace(dialogue, window_count=dialogue.window_count + 1))

    await asyncio.gather(*(count() for _ in range(15)))
    assert (await look(db)).window_count == 15


async def test_times_of_a_dialogue_are_the_databases(db: Database) -> None:
    dialogue = await look(db)
    async with db.transaction() as tx:
        now = await tx.fetchval("SELECT now()")
    assert timedelta() <= now - dialogue.seen_at < timedelta(seconds=5)
    assert dialogue.window_start.tzinfo is not None


async def test_feedback_loses_only_what_text_can_not_hold(db: Database) -> None:
    async with db.transaction() as tx:
        await feedback.add(tx, BOT_ID, USER_ID, "bug", "nul \0 and \\u0000")
        assert await tx.fetchval("SELECT text FROM feedback") == "nul  and \\u0000"


async def test_the_same_body_is_kept_once_for_each_bot(db: Database) -> None:
    async with db.transaction() as tx:
        for bot in (1, 1, 2):
            await quarantine.keep(tx, BotId(bot), b"\0not json", "not JSON")
        rows = await tx.fetch("SELECT bot_id, body, reason FROM quarantine ORDER BY bot_id")
    assert [tuple(row) for row in rows] == [(1, b"\0not json", "not JSON"), (2, b"\0not json", "not JSON")]


async def look(db: Database) -> Dialogue:
    async with db.transaction() as tx:
        return await dialogues.lock(tx, BOT_ID, USER_ID)
