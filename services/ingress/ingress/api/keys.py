"""API keys: nobody gives more than they have."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeAlias

from common import key_changes
from common.api_key import ApiKey, grants
from common.clock import utc_now
from common.errors import AppError
from common.key_changes import Wish
from common.store import api_keys, bot_views, pool
from common.store.api_keys import KeyRow
from fastapi import APIRouter, Path, Security
from pydantic import ConfigDict, Field

from ingress.api.fields import Answer, Id, Moment, Name, Request
from ingress.api.pages import Asked, Page
from ingress.auth import Caller, authorized
from ingress.deps import Tx
from ingress.rules import shapes

router = APIRouter(prefix="/api/keys", tags=["keys"])
Reader: TypeAlias = Annotated[Caller, Security(authorized, scopes=["keys:read"])]
Writer: TypeAlias = Annotated[Caller, Security(authorized, scopes=["keys:write"])]
KeyId: TypeAlias = Annotated[str, Path(pattern=shapes.KEY, examples=["0123456789Ab"])]
Scope: TypeAlias = Literal[
    "messages:write", "broadcasts:read", "broadcasts:write", "groups:read", "groups:write", "bots:read", "bots:write",
    "keys:read", "keys:write", "schedules:read", "schedules:write", "webhooks:read", "webhooks:write", "audit:read",
    "*",
]  # fmt: skip


class NewKey(Request):
    """Scopes and bots are at most the caller's own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "shop", "scopes": ["messages:write"], "bot_ids": [123456789]}]}
    )

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)]
    bot_ids: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = None
    expires_at: Moment | None = None
    per_second: Annotated[float, Field(gt=0, le=1000)] = 20.0
    burst: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 60


class Rotation(Request):
    """How long the old key is still good."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86400)] = 86400


class KeyAnswer(Answer):
    """Without the key: only its digest is kept. `owner` is what the keys of one rotation share."""

    key_id: str
    owner: str
    name: str
    scopes: list[str]
    bot_ids: list[int] | None
    per_second: float
    burst: int
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class MadeKey(KeyAnswer):
    """With the key, this once."""

    key: str


@router.get("", operation_id="list_keys")
async def list_keys(caller: Reader, tx: Tx, asked: Asked) -> Page[KeyAnswer]:
    """List keys, also the revoked and expired ones."""
    rows = await api_keys.page(tx, within=caller.bot_ids, after=asked.text(""), limit=asked.limit + 1)
    return asked.page(rows, lambda row: KeyAnswer.model_validate(asdict(row)), lambda row: row.key_id)


@router.post("", status_code=201, operation_id="make_key")
async def make_key(caller: Writer, tx: Tx, body: NewKey) -> MadeKey:
    """Make a key. The answer is the only place where it is; so nothing is kept under an Idempotency-Key here."""
    _within(caller, body.scopes, body.bot_ids)
    if body.expires_at is not None and body.expires_at <= utc_now():
        raise AppError("already_expired", 422, "expires_at is past")
    if unknown := await bot_views.missing(tx, body.bot_ids or []):
        raise AppError("unknown_bot", 422, "there is no such bot", bot_ids=unknown)
    wish = Wish(body.name, list(body.scopes), body.bot_ids, body.expires_at, body.per_second, body.burst)
    key, row = await key_changes.make(tx, wish, caller.actor, env=caller.env)
    return _made(key, row)


@router.post("/{key_id}:rotate", status_code=201, operation_id="rotate_key")
async def rotate_key(caller: Writer, tx: Tx, key_id: KeyId, body: Rotation) -> MadeKey:
    """Make a key with the same rights; the old one goes on for a while."""
    await _mine_to_give(tx, caller, key_id)
    overlap = timedelta(seconds=body.overlap_seconds)
    key, row = await key_changes.rotate(tx, key_id, caller.actor, overlap=overlap, env=caller.env)
    return _made(key, row)


@router.delete("/{key_id}", operation_id="revoke_key")
async def revoke_key(caller: Writer, tx: Tx, key_id: KeyId) -> KeyAnswer:
    """Revoke a key, at once and for good."""
    return KeyAnswer.model_validate(asdict(await key_changes.revoke(tx, key_id, caller.actor)))


async def _mine_to_give(tx: pool.Tx, caller: Caller, key_id: str) -> None:
    """A rotation hands out the key's rights anew."""
    row = await api_keys.get(tx, key_id, caller.bot_ids)
    if row is not None:
        _within(caller, row.scopes, row.bot_ids)


def _within(caller: Caller, scopes: list[Scope] | list[str], bot_ids: list[int] | None) -> None:
    for scope in scopes:
        if not grants(caller.scopes, scope):
            raise AppError("missing_scope", 403, f"the key lacks the scope {scope}", scope=scope)
    if caller.bot_ids is not None and (bot_ids is None or not set(bot_ids) <= set(caller.bot_ids)):
        raise AppError("beyond_bots", 403, "the key is limited to some bots, and so is what it makes")


def _made(key: ApiKey, row: KeyRow) -> MadeKey:
    return MadeKey(key=key.text, **asdict(row))
