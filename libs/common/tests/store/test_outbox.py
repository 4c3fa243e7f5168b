"""Jobs that wait in PostgreSQL: when they are due, in which order, and until when they stay."""

from __future__ import annotations

from datetime import timedelta

from common.ids import JobId
from common.store import outbox
from common.testing.builders import make_envelope
from common.testing.postgres import Database

ORDER = ("1:42", 7)


async def add(db: Database, job_id: str, **options: object) -> None:
    async with db.transaction() as tx:
        await outbox.add(tx, make_envelope(job_id=JobId(job_id)), **options)  # type: ignore[arg-type]


async def due(db: Database, limit: int = 10) -> list[str]:
    async with db.transaction() as tx:
        return [row.envelope.job_id for row in await outbox.due(tx, limit)]


async def publish_all(db: Database) -> None:
    async with db.transaction() as tx:
        await outbox.published(tx, await outbox.due(tx, 100))


async def test_what_comes_out_is_what_went_in(db: Database) -> None:
    job = make_envelope(
        attempt=3, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", body=b"\0\xff"
    )
    async with db.transaction() as tx:
        await outbox.add(tx, job)
        [row] = await outbox.due(tx, 10)
    assert row.envelope == job
    assert not row.ordered


async def test_rows_are_due_in_the_order_they_were_put_in(db: Database) -> None:
    for name in ("a", "b", "c", "d"):
        await add(db, name)
    assert await due(db, 3) == ["a", "b", "c"]


async def test_a_delay_is_counted_by_the_databases_clock(db: Database) -> None:
    await add(db, "later", delay=timedelta(hours=1))
    await add(db, "now")
    assert await due(db) == ["now"]
    async with db.transaction() as tx:
        await tx.execute("UPDATE outbox SET run_at = run_at - interval '1 hour'")
    assert set(await due(db)) == {"now", "later"}


async def test_a_published_row_without_an_order_is_gone(db: Database) -> None:
    await add(db, "a")
    await publish_all(db)
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM outbox") == 0


async def test_an_ordered_row_holds_its_followers_until_it_is_handled(db: Database) -> None:
    await add(db, "a", order=ORDER)
    await publish_all(db)
    assert await due(db) == []
    async with db.transaction() as tx:
        assert await outbox.first(tx, ("1:42", 8)) == 7
        assert await outbox.first(tx, ("1:42", 7)) == 7
        assert await outbox.first(tx, ("1:42", 6)) is None
        assert await outbox.first(tx, ("1:43", 8)) is None
        await outbox.handled(tx, ORDER)
        assert await outbox.first(tx, ("1:42", 8)) is None


async def test_the_same_place_twice_is_one_row_that_is_published_again(db: Database) -> None:
    await add(db, "a", order=ORDER)
    await publish_all(db)
    await add(db, "a", order=ORDER)
    assert await due(db) == ["a"]


async def test_a_buried_job_keeps_nobody_waiting(db: Database) -> None:
    await add(db, "a", order=ORDER)
    await publish_all(db)
    async with db.transaction() as tx:
        await outbox.buried(tx, JobId("a"))
        assert await outbox.first(tx, ("1:42", 8)) is None


async def test_a_row_whose_message_was_lost_is_published_again(db: Database) -> None:
    await add(db, "a", order=ORDER)
    await publish_all(db)
    async with db.transaction() as tx:
        assert await outbox.revive(tx, timedelta(minutes=10)) == 0
        await tx.execute("UPDATE outbox SET published_at = now() - interval '11 minutes'")
        assert await outbox.revive(tx, timedelta(minutes=10)) == 1
    assert await due(db) == ["a"]


async def test_the_backlog_is_what_is_due_and_not_published(db: Database) -> None:
    async with db.transaction() as tx:
        assert await outbox.backlog(tx) == outbox.Backlog(0, timedelta())
    await add(db, "a")
    await add(db, "later", delay=timedelta(hours=1))
    async with db.transaction() as tx:
        await tx.execute("UPDATE outbox SET run_at = now() - interval '5 s' WHERE job_id = 'a'")
    async with db.transaction() as tx:
        backlog = await outbox.backlog(tx)
    assert backlog.pending == 1
    assert timedelta(seconds=5) <= backlog.oldest < timedelta(seconds=10)
