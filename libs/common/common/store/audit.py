"""The audit trail: who changed what, from where. Rows are only ever added."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from common.store.pool import Tx


@dataclass(frozen=True, slots=True)
class Entry:
    """`bot_ids` is whom it concerns, None the whole fleet; `before` and `after` hold neither secrets nor messages."""

    actor: str
    action: str
    object: str
    before: dict[str, Any] | None = field(default=None, repr=False)
    after: dict[str, Any] | None = field(default=None, repr=False)
    bot_ids: list[int] | None = None
    ip: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry with its place in the trail."""

    audit_id: int
    at: datetime
    entry: Entry


async def record(tx: Tx, entry: Entry) -> None:
    """In the transaction of the change itself."""
    await tx.execute(
        """INSERT INTO audit (actor, action, object, before, after, bot_ids, ip, trace_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        entry.actor,
        entry.action,
        entry.object,
        entry.before,
        entry.after,
        entry.bot_ids,
        entry.ip,
        entry.trace_id,
    )


async def page(tx: Tx, *, within: list[int] | None, before_id: int, limit: int) -> list[Recorded]:
    """The newest first; `within` hides what concerns any other bot."""
    rows = await tx.fetch(
        """SELECT audit_id, at, actor, action, object, before, after, bot_ids, ip, trace_id FROM audit
           WHERE audit_id < $1 AND ($2::bigint[] IS NULL OR bot_ids <@ $2::bigint[]) ORDER BY audit_id DESC LIMIT $3""",
        before_id,
        within,
        limit,
    )
    return [Recorded(row["audit_id"], row["at"], Entry(*list(row.values())[2:])) for row in rows]
