"""Files that broadcasts send: kept once by content, in chunks, for as long as somebody may ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.store import media_files
from common.store.pool import Tx

CHUNK = 512 * 1024  # bytes of one row
_ROUND = 20  # files taken out in one transaction: each may be large


@dataclass(frozen=True, slots=True)
class Media:
    """A file under a name; its bytes are found by `digest`."""

    media_id: int
    digest: bytes
    name: str
    mime: str
    size: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class New:
    """What is uploaded, and by whose key."""

    owner: str
    bot_ids: list[int] | None
    digest: bytes
    name: str
    mime: str
    size: int


async def claim_blob(tx: Tx, digest: bytes, size: int) -> bool:
    """True where its chunks are still to be written, in this transaction. Locks the row: nobody takes it out now."""
    is_new: bool = await tx.fetchval(
        """INSERT INTO blobs (digest, size) VALUES ($1, $2)
           ON CONFLICT (digest) DO UPDATE SET created_at = now() RETURNING xmax = 0""",
        digest,
        size,
    )
    return is_new


async def add_chunk(tx: Tx, digest: bytes, seq: int, data: bytes) -> None:
    """The next one of a new blob."""
    await tx.execute("INSERT INTO blob_chunks (digest, seq, data) VALUES ($1, $2, $3)", digest, seq, data)


async def save(tx: Tx, new: New, keep: timedelta) -> Media:
    """The same file under the same name of the same owner is the same: kept for longer, if that is later."""
    saved = await tx.fetchrow(
        """INSERT INTO media AS m (owner, bot_ids, digest, name, mime, size, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval)
           ON CONFLICT (owner, digest, name) DO UPDATE SET expires_at = greatest(m.expires_at, excluded.expires_at)
           RETURNING media_id, digest, name, mime, size, created_at, expires_at""",
        new.owner,
        new.bot_ids,
        new.digest,
        new.name,
        new.mime,
        new.size,
        keep,
    )
    if saved is None:
        raise RuntimeError("an upsert without a condition returns its row")
    return Media(**dict(saved))


async def find(tx: Tx, ids: Sequence[int], within: list[int] | None = None) -> dict[int, Media]:
    """Those that are there and not expired; `within` hides what a key for any other bot has uploaded.

    Not removed before this transaction's end: what it makes of them may need them.
    """
    rows = await tx.fetch(
        """SELECT media_id, digest, name, mime, size, created_at, expires_at FROM media
           WHERE media_id = ANY($1::bigint[]) AND expires_at > now()
               AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[]) FOR KEY SHARE""",
        list(ids),
        within,
    )
    return {row["media_id"]: Media(**dict(row)) for row in rows}


async def page(tx: Tx, *, within: list[int] | None, before_id: int, limit: int) -> list[Media]:
    """The newest first."""
    rows = await tx.fetch(
        """SELECT media_id, digest, name, mime, size, created_at, expires_at FROM media
           WHERE media_id < $1 AND expires_at > now() AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[])
           ORDER BY media_id DESC LIMIT $3""",
        before_id,
        within,
        limit,
    )
    return [Media(**dict(found)) for found in rows]


async def row(tx: Tx, media_id: int) -> Media | None:
    """Also of an expired one, as long as it is kept: an open broadcast may need it."""
    found = await tx.fetchrow(
        "SELECT media_id, digest, name, mime, size, created_at, expires_at FROM media WHERE media_id = $1", media_id
    )
    return Media(**dict(found)) if found else None


async def hold(tx: Tx, ids: Sequence[int], until: datetime) -> set[int]:
    """Not taken out before then: something needs them. Those that are there."""
    rows = await tx.fetch(
        """UPDATE media SET expires_at = greatest(expires_at, $2) WHERE media_id = ANY($1::bigint[])
           RETURNING media_id""",
        list(ids),
        until,
    )
    return {row["media_id"] for row in rows}


async def stored(tx: Tx, owner: str) -> int:
    """Bytes that an owner keeps, each name counted."""
    found: int = await tx.fetchval("SELECT coalesce(sum(size), 0)::bigint FROM media WHERE owner = $1", owner)
    return found


async def read(tx: Tx, digest: bytes) -> bytes | None:
    """All of it; None where it is gone."""
    size = await tx.fetchval("SELECT size FROM blobs WHERE digest = $1", digest)
    if size is None:
        return None
    content = bytearray()
    for seq in range(-(-size // CHUNK)):
        content += await tx.fetchval("SELECT data FROM blob_chunks WHERE digest = $1 AND seq = $2", digest, seq) or b""
    return bytes(content) if len(content) == size else None


async def prune(tx: Tx) -> int:
    """Expired files that no open broadcast and no schedule names, and the bytes that nobody names any more."""
    expired = await tx.fetch(
        """SELECT m.media_id, m.digest FROM media m WHERE m.expires_at <= now() AND NOT EXISTS (
               SELECT 1 FROM broadcasts b WHERE b.state NOT IN ('cancelled', 'done')
                   AND b.content::text LIKE '%"media:' || m.media_id || '"%')
               AND NOT EXISTS (
                   SELECT 1 FROM schedules s WHERE (s.next_at IS NOT NULL OR NOT s.enabled)
                       AND s.content::text LIKE '%"media:' || m.media_id || '"%')
           ORDER BY m.expires_at LIMIT $1""",
        _ROUND,
    )
    if not expired:
        return 0
    await _lock(tx, [row["digest"] for row in expired])
    # Who has uploaded or named one meanwhile has moved its end.
    rows = await tx.fetch(
        "DELETE FROM media WHERE media_id = ANY($1::bigint[]) AND expires_at <= now() RETURNING digest, name",
        [row["media_id"] for row in expired],
    )
    await _drop(tx, [(row["digest"], row["name"]) for row in rows])
    return len(rows)


async def lock(tx: Tx, media_id: int, within: list[int] | None) -> tuple[Media, list[int] | None] | None:
    """Also an expired one, with the bots of its uploader's key. Whoever is about to name it has done so after this."""
    await _lock(tx, await tx.fetchval("SELECT ARRAY(SELECT digest FROM media WHERE media_id = $1)", media_id))
    found = await tx.fetchrow(
        """SELECT media_id, digest, name, mime, size, created_at, expires_at, bot_ids FROM media
           WHERE media_id = $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[]) FOR UPDATE""",
        media_id,
        within,
    )
    if found is None:
        return None
    *fields, bot_ids = found.values()
    return Media(*fields), bot_ids


async def needed_by(tx: Tx, media_id: int) -> tuple[list[int], list[int]]:
    """Broadcasts that are not ended or have it in hand, and schedules that may still send it; a few of each."""
    named = f'%"media:{media_id}"%'
    open_ones = await tx.fetch(
        """SELECT broadcast_id FROM broadcasts WHERE state NOT IN ('cancelled', 'done') AND content::text LIKE $1
           UNION
           SELECT broadcast_id FROM broadcasts WHERE content::text LIKE $1 AND broadcast_id IN (
               SELECT broadcast_id FROM deliveries WHERE state IN ('slotted', 'sending'))
           ORDER BY broadcast_id LIMIT $2""",
        named,
        _ROUND,
    )
    planned = await tx.fetch(
        """SELECT schedule_id FROM schedules
           WHERE (next_at IS NOT NULL OR NOT enabled) AND content::text LIKE $1 ORDER BY schedule_id LIMIT $2""",
        named,
        _ROUND,
    )
    return [row["broadcast_id"] for row in open_ones], [row["schedule_id"] for row in planned]


async def remove(tx: Tx, row: Media) -> None:
    """One that is locked, with its bytes and what Telegram calls it, unless somebody else keeps the same."""
    await tx.execute("DELETE FROM media WHERE media_id = $1", row.media_id)
    await _drop(tx, [(row.digest, row.name)])


async def _lock(tx: Tx, digests: list[bytes]) -> None:
    """Before their names, as uploads do it; who uploads the same bytes now has named them, or finds them gone."""
    await tx.execute("SELECT 1 FROM blobs WHERE digest = ANY($1::bytea[]) ORDER BY digest FOR UPDATE", digests)


async def _drop(tx: Tx, files: list[tuple[bytes, str]]) -> None:
    """The locked bytes and the file_ids of those that nobody names any more."""
    digests = [digest for digest, _ in files]
    rows = await tx.fetch("SELECT DISTINCT digest, name FROM media WHERE digest = ANY($1::bytea[])", digests)
    kept = {(row["digest"], row["name"]) for row in rows}
    await media_files.drop(tx, [media_files.of_upload(*file) for file in files if file not in kept])
    named = {digest for digest, _ in kept}
    await tx.execute(
        "DELETE FROM blobs WHERE digest = ANY($1::bytea[])", [each for each in digests if each not in named]
    )
