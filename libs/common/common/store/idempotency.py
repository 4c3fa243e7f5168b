"""The first answer to each Idempotency-Key, as Stripe keeps them: whatever it was, for at least a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class Request:
    """Whose, where, which; the hash tells another request under the same key."""

    owner: str
    route: str
    key: str
    body_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What was answered."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


async def enter(tx: Tx, request: Request) -> bool:
    """False while another transaction holds the same key; ends with the transaction, however that ends."""
    entered: bool = await tx.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", f"{request.owner} {request.route} {request.key}"
    )
    return entered


async def find(tx: Tx, request: Request) -> tuple[bytes, Result] | None:
    """The hash of the first request under this key, and its answer."""
    row = await tx.fetchrow(
        """SELECT body_hash, status, headers, body FROM idempotent_results
           WHERE owner = $1 AND route = $2 AND key = $3""",
        request.owner,
        request.route,
        request.key,
    )
    return (row["body_hash"], Result(row["status"], row["headers"], row["body"])) if row else None


async def save(tx: Tx, request: Request, result: Result) -> None:
    """With the effect, in its transaction."""
    await tx.execute(
        """INSERT INTO idempotent_results (owner, route, key, body_hash, status, headers, body)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        request.owner,
        request.route,
        request.key,
        request.body_hash,
        result.status,
        result.headers,
        result.body,
    )


async def prune(tx: Tx, older_than: timedelta) -> int:
    """How many were forgotten, at most 10,000 a call."""
    status = await tx.execute(
        """DELETE FROM idempotent_results WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM idempotent_results WHERE created_at < now() - $1::interval
               ORDER BY created_at LIMIT 10000))""",
        older_than,
    )
    return int(status.rpartition(" ")[2])
