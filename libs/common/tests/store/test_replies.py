"""What is to be said for an update, who says it, and what became of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from common.ids import BotId, UpdateId
from common.store import replies
from common.store.pool import Tx
from common.testing.builders import BOT_ID, make_reply
from common.testing.postgres import Database

UPDATE = UpdateId(1)
ME, OTHER = "message-1", "message-2"
HELLO, BYE = make_reply(seq=0), make_reply(seq=1, params={"chat_id": 42, "text": "bye \0\\u0000"})


async def states(tx: Tx) -> list[tuple[Any, ...]]:
    rows = await tx.fetch("SELECT state, attempts, message_id, reason FROM replies ORDER BY seq")
    return [tuple(row) for row in rows]


async def claim(db: Database, owner: str) -> list[tuple[int, int]]:
    async with db.transaction() as tx:
        return [(reply.seq, reply.attempts) for reply in await replies.claim(tx, BOT_ID, UPDATE, owner)]


async def test_whoever_commits_them_says_them(db: Database) -> None:
    async with db.transaction() as tx:
        await replies.add(tx, [HELLO, BYE], ME)
        assert await states(tx) == [("sending", 1, None, None)] * 2
    assert await claim(db, OTHER) == []


async def test_a_redelivered_update_gets_what_is_left_in_its_order(db: Database) -> None:
    async with db.transaction() as tx:
        await replies.add(tx, [make_reply(seq=2), BYE, HELLO], ME)
        await replies.settle(tx, HELLO, "sent", message_id=5)
        left = await replies.claim(tx, BOT_ID, UPDATE, ME)
        assert [(each.seq, each.attempts) for each in left] == [(1, 2), (2, 2)]
        assert left[0].params == {"chat_id": 42, "text": "bye \\u0000"}
        assert await replies.claim(tx, BOT_ID, UpdateId(2), ME) == []
        assert await replies.claim(tx, BotId(2), UPDATE, ME) == []


async def test_after_its_time_another_process_takes_over(db: Database) -> None:
    """Whose owner was killed in the middle of saying it."""
    async with db.transaction() as tx:
        await replies.add(tx, [HELLO], ME)
        await tx.execute("UPDATE replies SET claimed_until = now() - interval '1 s'")
    assert await claim(db, OTHER) == [(0, 1)]
    assert await claim(db, "dm-3") == []
    assert await claim(db, ME) == []


async def test_what_is_given_back_is_free_at_once(db: Database) -> None:
    async with db.transaction() as tx:
        await replies.add(tx, [HELLO], ME)
    async with db.transaction() as tx:
        await replies.release(tx, BOT_ID, UPDATE)
    assert await claim(db, OTHER) == [(0, 1)]


async def test_what_is_said_once_more_is_counted_and_keeps_the_claim(db: Database) -> None:
    async with db.transaction() as tx:
        await replies.add(tx, [HELLO], ME)
        await tx.execute("UPDATE replies SET claimed_until = now() - interval '1 s'")
        second = await replies.again(tx, HELLO)
        assert (second.attempts, second.params) == (2, HELLO.params)
        assert (await replies.again(tx, second)).attempts == 3
    assert await claim(db, OTHER) == []


async def test_a_settled_reply_stays_as_it_is(db: Database) -> None:
    async with db.transaction() as tx:
        await replies.add(tx, [HELLO], ME)
        assert await replies.unsettled(tx, BOT_ID, UPDATE)
        await replies.settle(tx, HELLO, "sent", message_id=5)
        await replies.settle(tx, HELLO, "failed", reason="late")
        assert await states(tx) == [("sent", 1, 5, None)]
        assert not await replies.unsettled(tx, BOT_ID, UPDATE)


async def test_what_is_still_to_be_said_is_never_pruned(db: Database) -> None:
    async with db.transaction() as tx:
        await replies.add(tx, [HELLO, BYE], ME)
        await replies.settle(tx, HELLO, "sent", message_id=5)
        await tx.execute("UPDATE replies SET created_at = now() - interval '9 days'")
        await replies.add(tx, [make_reply(update_id=UpdateId(2))], ME)
        assert await replies.prune(tx, timedelta(days=8)) == 1
        assert await states(tx) == [("sending", 1, None, None)] * 2


async def test_the_message_that_has_the_claim_goes_on_at_once_when_it_comes_again(db: Database) -> None:
    async with db.transaction() as tx:
        await replies.add(tx, [make_reply(seq=0)], ME)
    assert await claim(db, OTHER) == []
    assert await claim(db, ME) == [(0, 2)]  # its holder may have said it
