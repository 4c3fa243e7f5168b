"""API keys: who may ask for what, and how often. No key is here, only digests."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from common.api_key import ApiKey
from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class KeyRow:
    """`owner` is the id of the first key of a rotation; `bot_ids` None is every bot."""

    key_id: str
    owner: str
    name: str
    scopes: list[str]
    bot_ids: list[int] | None = None
    per_second: float = 20.0
    burst: int = 60
    created_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def facts(self) -> dict[str, Any]:
        """For the audit trail."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Admission:
    """A live key; `wait` is how long until the next request is allowed, zero where this one is."""

    key: KeyRow
    wait: timedelta


_COLUMNS = "key_id, owner, name, scopes, bot_ids, per_second, burst, created_at, expires_at, revoked_at, last_used_at"


async def add(tx: Tx, key: ApiKey, row: KeyRow) -> KeyRow:
    """With a full bucket; the row as it is kept."""
    made = await tx.fetchrow(
        f"""INSERT INTO api_keys (key_id, owner, name, digest, scopes, bot_ids, per_second, burst, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_COLUMNS}""",  # noqa: S608 (our own columns)
        key.key_id,
        row.owner,
        row.name,
        key.digest,
        row.scopes,
        row.bot_ids,
        row.per_second,
        row.burst,
        row.expires_at,
    )
    await tx.execute("INSERT INTO api_buckets (key_id, tokens) VALUES ($1, $2)", key.key_id, float(row.burst))
    return KeyRow(**dict(made)) if made else row


async def admit(tx: Tx, key: ApiKey) -> Admission | None:
    """Takes a token of a live key's bucket, and notes at most once a minute that it was used; None for any other."""
    row = await tx.fetchrow(
        f"""WITH key AS (
               SELECT {_COLUMNS} FROM api_keys WHERE key_id = $1 AND digest = $2 AND revoked_at IS NULL
                   AND (expires_at IS NULL OR expires_at > now())),
           used AS (
               UPDATE api_keys k SET last_used_at = now() FROM key WHERE k.key_id = key.key_id
                   AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 min')),
           bucket AS (
               UPDATE api_buckets b SET filled_at = greatest(b.filled_at, now()),
                   allowed = filled(b.tokens, b.filled_at, key.per_second, key.burst) >= 1,
                   tokens = filled(b.tokens, b.filled_at, key.per_second, key.burst)
                       - CASE WHEN filled(b.tokens, b.filled_at, key.per_second, key.burst) >= 1 THEN 1 ELSE 0 END
               FROM key WHERE b.key_id = key.key_id RETURNING b.allowed, b.tokens)
           SELECT key.*, bucket.allowed, bucket.tokens FROM key, bucket""",  # noqa: S608 (our own columns)
        key.key_id,
        key.digest,
    )
    if row is None:
        return None
    fields = dict(row)
    allowed, tokens = fields.pop("allowed"), fields.pop("tokens")
    found = KeyRow(**fields)
    wait = timedelta() if allowed else timedelta(seconds=(1 - tokens) / found.per_second)
    return Admission(found, wait)


async def get(tx: Tx, key_id: str, within: list[int] | None = None) -> KeyRow | None:
    """Locked. `within` hides what reaches beyond those bots."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM api_keys
           WHERE key_id = $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[]) FOR UPDATE""",  # noqa: S608 (as above)
        key_id,
        within,
    )
    return KeyRow(**dict(row)) if row else None


async def page(tx: Tx, *, within: list[int] | None, after: str, limit: int) -> list[KeyRow]:
    """By id; also the revoked and expired ones."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM api_keys WHERE key_id > $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[])
           ORDER BY key_id LIMIT $3""",  # noqa: S608 (as above)
        after,
        within,
        limit,
    )
    return [KeyRow(**dict(row)) for row in rows]


async def live(tx: Tx, owner: str) -> list[KeyRow]:
    """The keys of one rotation that are good, the oldest first; locked."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM api_keys WHERE owner = $1 AND revoked_at IS NULL
               AND (expires_at IS NULL OR expires_at > now()) ORDER BY created_at FOR UPDATE""",  # noqa: S608 (as above)
        owner,
    )
    return [KeyRow(**dict(row)) for row in rows]


async def revoke(tx: Tx, row: KeyRow) -> KeyRow:
    """At once and for good."""
    at = await tx.fetchval(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = $1 RETURNING revoked_at",
        row.key_id,
    )
    return replace(row, revoked_at=at)


async def expire(tx: Tx, row: KeyRow, after: timedelta) -> KeyRow:
    """Not later than it would have been."""
    at = await tx.fetchval(
        """UPDATE api_keys SET expires_at = least(expires_at, now() + $2::interval) WHERE key_id = $1
           RETURNING expires_at""",
        row.key_id,
        after,
    )
    return replace(row, expires_at=at)
