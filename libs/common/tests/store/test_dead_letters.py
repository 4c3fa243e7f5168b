"""Jobs that will not be tried again by themselves."""

from __future__ import annotations

from common.ids import JobId, update_job_id
from common.store import dead_letters, outbox, replies
from common.store.pool import Tx
from common.testing.builders import make_envelope, make_reply
from common.testing.postgres import Database


async def add(tx: Tx, job_id: str = "a", **changes: object) -> None:
    await dead_letters.add(tx, make_envelope(job_id=JobId(job_id), **changes), cause="rejected", reason="because")


async def test_the_oldest_first_and_without_bodies(db: Database) -> None:
    for name in ("a", "b", "c"):
        async with db.transaction() as tx:
            await add(tx, name, body=b"canary")
    async with db.transaction() as tx:
        letters = await dead_letters.unresolved(tx, 2)
    assert [letter.job_id for letter in letters] == ["a", "b"]
    assert (letters[0].cause, letters[0].reason) == ("rejected", "because")
    assert "canary" not in repr(letters)


async def test_a_redelivery_adds_no_second_row(db: Database) -> None:
    async with db.transaction() as tx:
        await add(tx)
        await add(tx)
        assert len(await dead_letters.unresolved(tx, 10)) == 1
        await add(tx, attempt=2)
        assert len(await dead_letters.unresolved(tx, 10)) == 2


async def test_a_replay_publishes_the_job_again_with_one_more_attempt_and_once(db: Database) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with db.transaction() as tx:
        await add(tx, body=b"\0body", traceparent=trace, attempt=8)
        [letter] = await dead_letters.unresolved(tx, 1)
        assert await dead_letters.replay(tx, letter.dead_letter_id)
        assert not await dead_letters.replay(tx, letter.dead_letter_id)
        [row] = await outbox.due(tx, 10)
        assert await dead_letters.unresolved(tx, 1) == []
    assert (row.envelope.job_id, row.envelope.body, row.envelope.traceparent) == ("a", b"\0body", trace)


async def test_a_job_that_dies_again_after_its_replay_is_a_new_letter(db: Database) -> None:
    async with db.transaction() as tx:
        await add(tx)
        [letter] = await dead_letters.unresolved(tx, 1)
        await dead_letters.replay(tx, letter.dead_letter_id)
        await add(tx)
        [again] = await dead_letters.unresolved(tx, 10)
    assert again.dead_letter_id != letter.dead_letter_id


async def test_a_discarded_letter_is_kept_and_never_published(db: Database) -> None:
    async with db.transaction() as tx:
        await add(tx)
        [letter] = await dead_letters.unresolved(tx, 1)
        assert await dead_letters.discard(tx, letter.dead_letter_id)
        assert not await dead_letters.discard(tx, letter.dead_letter_id)
        assert not await dead_letters.replay(tx, letter.dead_letter_id)
        assert await outbox.due(tx, 10) == []
        assert await tx.fetchval("SELECT resolution FROM dead_letters") == "discarded"


async def test_ids_that_are_none(db: Database) -> None:
    async with db.transaction() as tx:
        assert not await dead_letters.replay(tx, 99)
        assert not await dead_letters.discard(tx, 99)


async def test_a_replay_says_again_what_telegram_refused(db: Database) -> None:
    refused, said = make_reply(seq=0), make_reply(seq=1)
    async with db.transaction() as tx:
        await replies.add(tx, [refused, said], "dm-1")
        await replies.settle(tx, refused, "failed", reason="content")
        await replies.settle(tx, said, "sent", message_id=5)
        await add(tx, update_job_id(refused.bot_id, refused.update_id))
        [letter] = await dead_letters.unresolved(tx, 1)
        assert await dead_letters.replay(tx, letter.dead_letter_id)
        again = await replies.claim(tx, refused.bot_id, refused.update_id, "another")
    assert [reply.seq for reply in again] == [0]
