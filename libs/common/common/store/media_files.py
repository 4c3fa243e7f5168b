"""What Telegram calls a file that a bot has sent: one sender uploads it, the others use its file_id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from common.ids import BotId
from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class Key:
    """A file_id is a bot's own, and a photo's is no document's."""

    bot_id: BotId
    source: bytes  # digest
    kind: str


@dataclass(frozen=True, slots=True)
class Found:
    """The file_id; or it is ours to upload; or neither, while another does."""

    file_id: str | None
    mine: bool


def of_upload(digest: bytes, name: str) -> bytes:
    """The source of a file under a name: the name is part of what its readers get."""
    return hashlib.sha256(digest + name.encode()).digest()


async def claim(tx: Tx, key: Key, owner: str, lease: timedelta) -> Found:
    """Takes the upload where nobody has it, or its lease is over."""
    mine = await tx.fetchval(
        """INSERT INTO media_files AS f (bot_id, source, kind, claimed_by, claimed_until)
           VALUES ($1, $2, $3, $4, clock_timestamp() + $5::interval)
           ON CONFLICT (bot_id, source, kind) DO UPDATE SET
               claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until
           WHERE f.file_id IS NULL AND f.claimed_until <= clock_timestamp() RETURNING true""",
        key.bot_id,
        key.source,
        key.kind,
        owner,
        lease,
    )
    return Found(None if mine else await get(tx, key), bool(mine))


async def get(tx: Tx, key: Key) -> str | None:
    """None where it is not known yet."""
    found: str | None = await tx.fetchval(
        "SELECT file_id FROM media_files WHERE bot_id = $1 AND source = $2 AND kind = $3",
        key.bot_id,
        key.source,
        key.kind,
    )
    return found


async def save(tx: Tx, key: Key, file_id: str, owner: str) -> None:
    """From Telegram's answer; the first one stays."""
    await tx.execute(
        """INSERT INTO media_files AS f (bot_id, source, kind, file_id, claimed_by, claimed_until)
           VALUES ($1, $2, $3, $4, $5, clock_timestamp())
           ON CONFLICT (bot_id, source, kind) DO UPDATE SET file_id = coalesce(f.file_id, excluded.file_id)""",
        key.bot_id,
        key.source,
        key.kind,
        file_id,
        owner,
    )


async def release(tx: Tx, key: Key, owner: str) -> None:
    """Our upload came to nothing: the next one may try at once."""
    await tx.execute(
        """DELETE FROM media_files
           WHERE bot_id = $1 AND source = $2 AND kind = $3 AND file_id IS NULL AND claimed_by = $4""",
        key.bot_id,
        key.source,
        key.kind,
        owner,
    )


async def forget(tx: Tx, key: Key, file_id: str) -> None:
    """Telegram refused it; a newer one stays."""
    await tx.execute(
        "DELETE FROM media_files WHERE bot_id = $1 AND source = $2 AND kind = $3 AND file_id = $4",
        key.bot_id,
        key.source,
        key.kind,
        file_id,
    )


async def drop(tx: Tx, sources: list[bytes]) -> None:
    """Every bot's and kind's: they are not sent again."""
    await tx.execute("DELETE FROM media_files WHERE source = ANY($1::bytea[])", sources)


async def prune(tx: Tx, keep: timedelta) -> int:
    """Older ones, at most 10,000 a call: whoever still needs such a file uploads it once more."""
    status = await tx.execute(
        """DELETE FROM media_files WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM media_files WHERE created_at < now() - $1::interval
               ORDER BY created_at LIMIT 10000))""",
        keep,
    )
    return int(status.rpartition(" ")[2])
