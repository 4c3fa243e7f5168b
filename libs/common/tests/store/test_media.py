"""Kept files and what Telegram calls them: stored once, claimed by one, found by an index."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.ids import BotId
from common.store import broadcasts, deliveries, media, media_files
from common.store.broadcasts import Targets
from common.store.deliveries import Outcome
from common.store.media import New
from common.store.media_files import Found, Key
from common.testing.postgres import Database

from .plans import LISTENERS, Explainer, filling

KEY = Key(BotId(7), b"source", "photo")
DAY = timedelta(days=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def claim(db: Database, owner: str, lease: timedelta = DAY) -> Found:
    async with db.transaction() as tx:
        return await media_files.claim(tx, KEY, owner, lease)


async def test_of_many_one_may_upload(db: Database) -> None:
    found = await asyncio.gather(*(claim(db, f"sender {n}") for n in range(10)))
    assert sorted(each.mine for each in found) == [False] * 9 + [True]
    assert {each.file_id for each in found} == {None}


async def test_who_comes_after_the_upload_has_its_file_id(db: Database) -> None:
    assert (await claim(db, "a")).mine
    async with db.transaction() as tx:
        await media_files.save(tx, KEY, "file-1", "a")
    assert await claim(db, "b", -DAY) == Found("file-1", mine=False)


async def test_a_lease_that_is_over_is_taken_and_a_late_upload_is_still_used(db: Database) -> None:
    assert (await claim(db, "a", -DAY)).mine
    assert (await claim(db, "b")).mine
    async with db.transaction() as tx:
        await media_files.release(tx, KEY, "a")  # no longer its own: stays
        assert not (await media_files.claim(tx, KEY, "c", DAY)).mine
        await media_files.save(tx, KEY, "late", "a")
        await media_files.save(tx, KEY, "later", "b")
        assert await media_files.get(tx, KEY) == "late"


async def test_only_the_refused_file_id_is_forgotten(db: Database) -> None:
    async with db.transaction() as tx:
        await media_files.save(tx, KEY, "new", "a")
        await media_files.forget(tx, KEY, "old")
        assert await media_files.get(tx, KEY) == "new"
        await media_files.forget(tx, KEY, "new")
        assert await media_files.get(tx, KEY) is None


async def test_two_who_upload_the_same_bytes_at_once_keep_them_once(db: Database) -> None:
    async def upload(owner: str) -> bool:
        async with db.transaction() as tx:
            is_new = await media.claim_blob(tx, b"digest", 3)
            if is_new:
                await asyncio.sleep(0.05)
                await media.add_chunk(tx, b"digest", 0, b"abc")
            await media.save(tx, New(owner, None, b"digest", "a", "text/plain", 3), DAY)
        return is_new

    assert sorted(await asyncio.gather(upload("a"), upload("b"))) == [False, True]
    async with db.transaction() as tx:
        assert await media.read(tx, b"digest") == b"abc"
        assert await media.read(tx, b"other") is None


async def _uploaded(db: Database, keep: timedelta) -> media.Media:
    async with db.transaction() as tx:
        await media.claim_blob(tx, b"digest", 3)
        await media.add_chunk(tx, b"digest", 0, b"abc")
        return await media.save(tx, New("a", None, b"digest", "a", "text/plain", 3), keep)


@pytest.mark.parametrize(("owner", "pruned"), [("a", 0), ("b", 1)])
async def test_an_upload_during_the_housekeeping_keeps_its_bytes(db: Database, owner: str, pruned: int) -> None:
    await _uploaded(db, -DAY)
    async with db.transaction() as tx:
        assert not await media.claim_blob(tx, b"digest", 3)
        pruning = asyncio.create_task(_prune(db))
        await asyncio.sleep(0.1)
        await media.save(tx, New(owner, None, b"digest", "a", "text/plain", 3), DAY)
    assert await pruning == pruned
    async with db.transaction() as tx:
        assert await media.read(tx, b"digest") == b"abc"


async def test_an_upload_beside_the_deletion_of_the_same_file_waits_or_is_waited_for(db: Database) -> None:
    kept = await _uploaded(db, DAY)

    async def delete() -> None:
        async with db.transaction() as tx:
            assert await media.lock(tx, kept.media_id, None)
            await media.remove(tx, kept)

    async with db.transaction() as tx:
        assert not await media.claim_blob(tx, b"digest", 3)
        deleting = asyncio.create_task(delete())
        await asyncio.sleep(0.1)
        assert (await media.save(tx, New("a", None, b"digest", "a", "text/plain", 3), DAY)).media_id == kept.media_id
    await deleting


async def _prune(db: Database) -> int:
    async with db.transaction() as tx:
        return await media.prune(tx)


async def test_an_albums_items_are_counted_by_the_row_itself(db: Database) -> None:
    album = {"method": "sendMediaGroup", "params": {"media": [{"type": "photo", "media": "x"}] * 7}}
    async with db.transaction() as tx:
        for content in (album, {"method": "sendMessage", "params": {"text": "x"}}, {"method": "sendMediaGroup"}):
            await broadcasts.create(tx, Targets(), content)
        assert [r["items"] for r in await tx.fetch("SELECT items FROM broadcasts ORDER BY 1 DESC")] == [7, 1, 1]


async def test_whose_turn_it_is_for_more_than_one_message(db: Database) -> None:
    async with db.transaction() as tx:

        async def turn(recent: int, items: int) -> datetime:
            times = [NOW + timedelta(seconds=n) for n in range(recent)]
            found: datetime = await tx.fetchval("SELECT turn_for($1, $2, $3)", NOW, times, items)
            return found

        minute = timedelta(seconds=59)
        assert await turn(0, 10) == NOW
        assert await turn(10, 10) == NOW
        assert await turn(11, 10) == NOW + minute, "the first of eleven must have left the minute"
        assert await turn(20, 10) == NOW + timedelta(seconds=9) + minute
        assert await turn(20, 1) == NOW, "for one next_at says it"


FILLED = """
INSERT INTO bots (bot_id, username, token, token_key) SELECT n, 'b' || n, 'x', 'k1' FROM generate_series(1, 2000) n;
INSERT INTO blobs (digest, size) SELECT sha256(n::text::bytea), 3 FROM generate_series(1, 20000) n;
INSERT INTO blob_chunks (digest, seq, data) SELECT digest, 0, 'abc' FROM blobs;
INSERT INTO media (owner, digest, name, mime, size, created_at, expires_at)
    SELECT 'o' || n % 500, sha256(n::text::bytea), 'a', 'text/plain', 3, now(), now() + (n - 50) * interval '1 minute'
    FROM generate_series(1, 20000) n;
INSERT INTO media_files (bot_id, source, kind, file_id, claimed_by, claimed_until, created_at)
    SELECT n % 20, sha256((n / 20)::text::bytea), 'photo', 'x', 'a', now(), now() - n * interval '1 minute'
    FROM generate_series(1, 20000) n;
INSERT INTO groups (bot_id, chat_id) SELECT 1 + n % 20, -n FROM generate_series(1, 5000) n;
INSERT INTO group_turns (group_id) SELECT group_id FROM groups;
INSERT INTO broadcasts (content, state) SELECT '{"method": "sendMessage", "params": {}}',
    CASE WHEN n % 500 = 0 THEN 'running' ELSE 'done' END FROM generate_series(1, 5000) n;
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state, slot_at)
    SELECT 1 + n % 50 * 100, 1 + n % 5000, 1 + n % 20,
        CASE WHEN n % 100 = 0 THEN 'sending' WHEN n % 100 < 20 THEN 'pending' ELSE 'sent' END, now()
    FROM generate_series(1, 20000) n ON CONFLICT DO NOTHING;
ANALYZE;
"""
FEW = {"schedules"}  # operators make them by hand
FILE = media.Media(8, b"8", "a", "text/plain", 3, NOW, NOW)
OUTCOME = Outcome(7, NOW, "pending", [5, 6], parts=3, parts_done=1, filled={"title": "x", "variables": {}})
QUERIES: dict[str, tuple[Callable[[Any], Awaitable[Any]], set[str]]] = {
    "a blob claimed": (lambda tx: media.claim_blob(tx, b"7", 3), {"blobs_pkey"}),
    "a name saved": (
        lambda tx: media.save(tx, New("o7", None, b"7", "a", "text/plain", 3), DAY), {"media_owner_digest_name_key"},
    ),
    "files found": (lambda tx: media.find(tx, [7, 8]), {"media_pkey"}),
    "a page of files": (lambda tx: media.page(tx, within=None, before_id=9000, limit=50), {"media_pkey"}),
    "a file": (lambda tx: media.row(tx, 7), {"media_pkey"}),
    "files held": (lambda tx: media.hold(tx, [7], NOW), {"media_pkey"}),
    "what an owner keeps": (lambda tx: media.stored(tx, "o7"), {"media_owner_digest_name_key"}),
    "a file read": (lambda tx: media.read(tx, b"7"), {"blobs_pkey", "blob_chunks_pkey"}),
    "files pruned": (
        media.prune, {"media_expires_at", "broadcasts_open", "media_digest", "blobs_pkey"},
    ),
    "a file to be deleted": (lambda tx: media.lock(tx, 7, None), {"media_pkey", "blobs_pkey"}),
    "who needs it": (lambda tx: media.needed_by(tx, 7), {"broadcasts_open"}),
    "a file deleted": (
        lambda tx: media.remove(tx, FILE), {"media_pkey", "media_digest", "blobs_pkey", "media_files_source"},
    ),
    "an upload claimed": (lambda tx: media_files.claim(tx, KEY, "me", DAY), {"media_files_pkey"}),
    "a file id saved": (lambda tx: media_files.save(tx, KEY, "x", "me"), {"media_files_pkey"}),
    "a file id": (lambda tx: media_files.get(tx, KEY), {"media_files_pkey"}),
    "a claim released": (lambda tx: media_files.release(tx, KEY, "me"), {"media_files_pkey"}),
    "a file id forgotten": (lambda tx: media_files.forget(tx, KEY, "x"), {"media_files_pkey"}),
    "file ids pruned": (lambda tx: media_files.prune(tx, 13 * DAY), {"media_files_created_at"}),
    "outcomes": (lambda tx: deliveries.settle(tx, [OUTCOME]), {"deliveries_pkey"}),
    "candidates": (
        lambda tx: deliveries.candidates(tx, {BotId(7): 5}, DAY, turn=0), {"deliveries_pending", "broadcasts_open"},
    ),
    "a delivery put off": (lambda tx: deliveries.put_off(tx, [(7, NOW)], DAY), {"deliveries_pkey"}),
    "a delivery's broadcast": (lambda tx: deliveries.broadcast_of(tx, 7), {"deliveries_pkey"}),
}  # fmt: skip


async def test_no_query_reads_a_whole_table(db: Database) -> None:
    wrong = {}
    async with filling(db, LISTENERS + FILLED) as tx:
        for name, (query, expected) in QUERIES.items():
            explainer = Explainer(tx)
            await query(explainer)
            if explainer.scanned - FEW or not expected <= explainer.indexes:
                wrong[name] = f"indexes {sorted(explainer.indexes)}, whole tables {sorted(explainer.scanned)}"
    assert wrong == {}
