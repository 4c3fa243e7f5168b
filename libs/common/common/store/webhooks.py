"""Webhooks out: which address listens to what, and the secrets that sign it, which are ciphertext here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from common.store.pool import Tx

_KEPT = timedelta(days=7)  # how long what happens is kept for a webhook that Muster itself disabled
_COLUMNS = (
    "webhook_id, url, kinds, bot_ids, enabled, disabled_reason, failing_since, "
    "CASE WHEN old_until > now() THEN old_until END AS old_until, created_by, created_at, updated_at"
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A row without its secrets; `old_until` only while two of them sign."""

    webhook_id: int
    url: str = field(repr=False)
    kinds: list[str]
    bot_ids: list[int] | None
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    old_until: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is kept, and the version of the key that opens it."""

    secret: bytes = field(repr=False)
    key: str


async def new_id(tx: Tx) -> int:
    """Its secret is bound to it, so it is needed first."""
    found: int = await tx.fetchval("SELECT nextval('webhooks_webhook_id_seq')")
    return found


async def count(tx: Tx, created_by: str) -> tuple[int, int]:
    """(of that maker, of all)."""
    row = await tx.fetchrow(
        "SELECT count(*) FILTER (WHERE created_by = $1) AS own, count(*) AS n FROM webhooks", created_by
    )
    return (row["own"], row["n"]) if row else (0, 0)


async def add(  # noqa: PLR0913 (the columns of one row)
    tx: Tx,
    webhook_id: int,
    url: str,
    sealed: Sealed,
    *,
    kinds: list[str],
    bot_ids: list[int] | None,
    enabled: bool,
    created_by: str,
) -> Webhook:
    """A new one; its bots stay as they are, whoever changes it."""
    row = await tx.fetchrow(
        f"""INSERT INTO webhooks (webhook_id, url, kinds, bot_ids, enabled, wants_until, secret, secret_key, created_by)
           VALUES ($1, $2, $3, $4, $5, CASE WHEN $5 THEN 'infinity'::timestamptz ELSE now() END, $6, $7, $8)
           RETURNING {_COLUMNS}""",  # noqa: S608 (our own columns)
        webhook_id,
        url,
        kinds,
        bot_ids,
        enabled,
        sealed.secret,
        sealed.key,
        created_by,
    )
    return Webhook(**dict(row or {}))


async def get(tx: Tx, webhook_id: int, within: list[int] | None) -> Webhook | None:
    """None for one that is not there, or may be told of any other bot."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM webhooks
           WHERE webhook_id = $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[])""",  # noqa: S608 (as above)
        webhook_id,
        within,
    )
    return Webhook(**dict(row)) if row else None


async def lock(tx: Tx, webhook_id: int, within: list[int] | None) -> Webhook | None:
    """As `get`, for a change."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM webhooks
           WHERE webhook_id = $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[]) FOR UPDATE""",  # noqa: S608 (as above)
        webhook_id,
        within,
    )
    return Webhook(**dict(row)) if row else None


async def page(tx: Tx, *, within: list[int] | None, after: int, limit: int) -> list[Webhook]:
    """By id."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM webhooks WHERE webhook_id > $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[])
           ORDER BY webhook_id LIMIT $3""",  # noqa: S608 (as above)
        after,
        within,
        limit,
    )
    return [Webhook(**dict(row)) for row in rows]


async def save(tx: Tx, webhook_id: int, *, url: str, kinds: list[str], enabled: bool | None) -> Webhook:
    """As it is now to be. Enabled again, it is told from here on, and gets what was kept for it; None leaves that."""
    row = await tx.fetchrow(
        f"""UPDATE webhooks SET url = $2, kinds = $3, enabled = coalesce($4, enabled), updated_at = now(),
               disabled_reason = CASE WHEN $4 IS NULL THEN disabled_reason END,
               failing_since = CASE WHEN coalesce($4, enabled) AND (NOT enabled OR url <> $2) THEN NULL
                   ELSE failing_since END,
               wants_until = CASE WHEN $4 THEN 'infinity' WHEN NOT $4 THEN least(wants_until, now())
                   ELSE wants_until END
           WHERE webhook_id = $1 RETURNING {_COLUMNS}""",  # noqa: S608 (as above)
        webhook_id,
        url,
        kinds,
        enabled,
    )
    return Webhook(**dict(row or {}))


async def remove(tx: Tx, webhook_id: int) -> None:
    """Nothing is claimed for it any more; its requests go with their week, for here they might be too many."""
    await tx.execute("DELETE FROM webhooks WHERE webhook_id = $1", webhook_id)


async def rotate(tx: Tx, webhook_id: int, sealed: Sealed, overlap: timedelta) -> Webhook:
    """The secret so far signs as well until the overlap is over."""
    row = await tx.fetchrow(
        f"""UPDATE webhooks SET old_secret = secret, old_secret_key = secret_key, old_until = now() + $4::interval,
               secret = $2, secret_key = $3, updated_at = now()
           WHERE webhook_id = $1 RETURNING {_COLUMNS}""",  # noqa: S608 (as above)
        webhook_id,
        sealed.secret,
        sealed.key,
        overlap,
    )
    return Webhook(**dict(row or {}))


async def failed(tx: Tx, webhook_id: int, tried_at: datetime) -> None:
    """It fails since then, unless it did already."""
    await tx.execute(
        "UPDATE webhooks SET failing_since = $2 WHERE webhook_id = $1 AND failing_since IS NULL", webhook_id, tried_at
    )


async def recovered(tx: Tx, webhook_id: int) -> None:
    """It answered as it should."""
    await tx.execute(
        "UPDATE webhooks SET failing_since = NULL WHERE webhook_id = $1 AND failing_since IS NOT NULL", webhook_id
    )


async def disable(tx: Tx, webhook_id: int, url: str, reason: str) -> bool:
    """Nothing is sent to it any more; False where it was disabled meanwhile, or has another address."""
    status = await tx.execute(
        """UPDATE webhooks SET enabled = false, disabled_reason = $3, wants_until = now() + $4::interval,
               updated_at = now()
           WHERE webhook_id = $1 AND url = $2 AND enabled""",
        webhook_id,
        url,
        reason,
        _KEPT,
    )
    return bool(status.endswith(" 1"))


async def sealed_otherwise(tx: Tx, key: str, limit: int) -> list[tuple[int, Sealed, Sealed | None]]:
    """Locked: those with a secret under another key than that."""
    rows = await tx.fetch(
        """SELECT webhook_id, secret, secret_key, old_secret, old_secret_key FROM webhooks
           WHERE secret_key <> $1 OR (old_secret_key <> $1 AND old_until > now())
           ORDER BY webhook_id LIMIT $2 FOR UPDATE SKIP LOCKED""",
        key,
        limit,
    )
    return [
        (
            row["webhook_id"],
            Sealed(row["secret"], row["secret_key"]),
            Sealed(row["old_secret"], row["old_secret_key"]) if row["old_secret"] else None,
        )
        for row in rows
    ]


async def reseal(tx: Tx, webhook_id: int, sealed: Sealed, old: Sealed | None) -> None:
    """The same secrets under another key."""
    await tx.execute(
        "UPDATE webhooks SET secret = $2, secret_key = $3, old_secret = $4, old_secret_key = $5 WHERE webhook_id = $1",
        webhook_id,
        sealed.secret,
        sealed.key,
        old.secret if old else None,
        old.key if old else None,
    )
