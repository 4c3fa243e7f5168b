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


@dataclass(frozen=True, slots=True)
class Filter:
    """None asks for any. A `key_id` stands for all keys of its rotation; `number` is that of a `kind` of objects."""

    key_id: str | None = None
    actor: str | None = None
    action: str | None = None
    kind: str | None = None
    number: str | None = None
    since: datetime | None = None
    until: datetime | None = None


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


async def page(
    tx: Tx, *, within: list[int] | None, after: int | None, limit: int, wanted: Filter | None = None
) -> list[Recorded]:
    """The newest first, those behind the entry `after`; `within` hides what concerns any other bot."""
    conditions, values = _conditions(wanted or Filter(), within, after)
    rows = await tx.fetch(
        f"""SELECT audit_id, at, actor, action, object, before, after, bot_ids, ip, trace_id FROM audit
           WHERE {conditions} ORDER BY at DESC, audit_id DESC LIMIT ${len(values) + 1}""",  # noqa: S608 (our own words)
        *values,
        limit,
    )
    return [Recorded(row["audit_id"], row["at"], Entry(*list(row.values())[2:])) for row in rows]


def _conditions(wanted: Filter, within: list[int] | None, after: int | None) -> tuple[str, list[Any]]:
    """Only what is asked for: a generic plan of `$1 IS NULL OR …` would use no index."""
    exact = f"{wanted.kind}:{wanted.number}" if wanted.kind and wanted.number else None
    asked: list[tuple[str, Any]] = [
        ("bot_ids <@ {}::bigint[]", within),
        ("(at, audit_id) < ((SELECT at FROM audit WHERE audit_id = {0}), {0}::bigint)", after),
        ("actor = 'key:' || coalesce((SELECT owner FROM api_keys WHERE key_id = {0}), {0})", wanted.key_id),
        ("actor = {}", wanted.actor),
        ("action = {}", wanted.action),
        ("object = {}", exact),
        ("split_part(object, ':', 1) = {}", None if exact else wanted.kind),
        ("at >= {}", wanted.since),
        ("at < {}", wanted.until),
    ]
    given = [(words, value) for words, value in asked if value is not None]
    conditions = [words.format(f"${n}") for n, (words, _) in enumerate(given, 1)]
    return " AND ".join(conditions) or "true", [value for _, value in given]
