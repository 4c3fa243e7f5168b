"""Changes to API keys with their audit rows: the same for the operators' verb and for the API."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from common.api_key import ApiKey
from common.errors import AppError
from common.store import api_keys, audit
from common.store.api_keys import KeyRow
from common.store.audit import Entry
from common.store.pool import Tx

_LIVE = 2  # keys of one rotation at a time


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes, from where; `bot_ids` is what they are limited to."""

    name: str
    bot_ids: list[int] | None = None
    ip: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new key shall be."""

    name: str
    scopes: list[str]
    bot_ids: list[int] | None = None
    expires_at: datetime | None = None
    per_second: float = 20.0
    burst: int = 60


async def make(tx: Tx, wish: Wish, actor: Actor, *, env: str) -> tuple[ApiKey, KeyRow]:
    """The key's text is nowhere else: whoever made it keeps it."""
    key = ApiKey.new(env)
    row = KeyRow(
        key.key_id, key.key_id, wish.name, wish.scopes, wish.bot_ids, wish.per_second, wish.burst, None, wish.expires_at
    )
    made = await api_keys.add(tx, key, row)
    await _record(tx, actor, "key.create", before=None, after=made)
    return key, made


async def revoke(tx: Tx, key_id: str, actor: Actor) -> KeyRow:
    """AppError for a key that is unknown to this actor; twice is once."""
    row = await _known(tx, key_id, actor)
    if row.revoked_at is not None:
        return row
    revoked = await api_keys.revoke(tx, row)
    await _record(tx, actor, "key.revoke", before=row, after=revoked)
    return revoked


async def rotate(tx: Tx, key_id: str, actor: Actor, *, overlap: timedelta, env: str) -> tuple[ApiKey, KeyRow]:
    """A key with the same rights and owner; the old one is good for `overlap` more. AppError for a third live one."""
    row = await _known(tx, key_id, actor)
    living = await api_keys.live(tx, row.owner)
    if key_id not in {each.key_id for each in living}:
        raise AppError("key_not_live", 409, "the key is revoked or expired: make a new one", key_id=key_id)
    if len(living) >= _LIVE:
        raise AppError("already_rotating", 409, "two keys are live already: revoke the old one first", key_id=key_id)
    key = ApiKey.new(env)
    made = await api_keys.add(tx, key, replace(row, key_id=key.key_id))
    old = await api_keys.expire(tx, row, overlap)
    await _record(tx, actor, "key.rotate", before=row, after=old)
    await _record(tx, actor, "key.create", before=None, after=made)
    return key, made


async def _known(tx: Tx, key_id: str, actor: Actor) -> KeyRow:
    row = await api_keys.get(tx, key_id, actor.bot_ids)
    if row is None:
        raise AppError("key_not_found", 404, "there is no such key")
    return row


async def _record(tx: Tx, actor: Actor, action: str, *, before: KeyRow | None, after: KeyRow) -> None:
    await audit.record(
        tx,
        Entry(
            actor.name,
            action,
            f"key:{after.key_id}",
            before.facts() if before else None,
            after.facts(),
            after.bot_ids,
            actor.ip,
            actor.trace_id,
        ),
    )
