"""Bots: who they are, how they are, and their tokens and webhooks, which go in and never come out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from common.errors import AppError
from common.store import audit, bot_views, bots, pool
from common.store.bot_views import BotView
from fastapi import APIRouter, Depends, Path, Response, Security
from pydantic import BaseModel, Field

from ingress.api.bot_requests import BotChanges, NewBot, NewToken
from ingress.api.fields import BIGINT, Answer
from ingress.api.pages import Asked, Page
from ingress.auth import Caller, authorized
from ingress.backend import Backend
from ingress.deps import Tx, backend_of
from ingress.once import Once, once
from ingress.telegram import bot_admin, setting_missing
from ingress.webhook import PATH

router = APIRouter(prefix="/api/bots", tags=["bots"])
Reader: TypeAlias = Annotated[Caller, Security(authorized, scopes=["bots:read"])]
Writer: TypeAlias = Annotated[Caller, Security(authorized, scopes=["bots:write"])]
BotNumber: TypeAlias = Annotated[int, Path(ge=1, le=BIGINT, examples=[123456789])]
Idempotent: TypeAlias = Annotated[Once, Depends(once)]
Ours: TypeAlias = Annotated[Backend, Depends(backend_of)]


class HealthAnswer(Answer):
    """What Telegram said at the last look: the leader takes one every ten minutes, `:check` one at once. `throttled` is
    what its 429s say now.
    """

    checked_at: Annotated[datetime | None, Field(description="null: it was not yet, and is throttled.")]
    webhook: Annotated[
        Literal["ours", "foreign", "none", "unknown"],
        Field(description="Whose address Telegram posts updates to; unknown: Muster set none, so it does not judge."),
    ]
    problems: Annotated[
        list[str],
        Field(
            description="None where all is well: token_revoked, webhook_missing, webhook_foreign, updates_missing, "
            "delivery_failing, backlog, throttled."
        ),
    ]
    pending_updates: int = 0
    last_error: Annotated[str | None, Field(description="Telegram's words on the last failed delivery.")] = None
    last_error_at: datetime | None = None
    missing_updates: Annotated[list[str] | None, Field(description="Kinds that Telegram does not send.")] = None
    sees_all_messages: Annotated[bool | None, Field(description="Whether its privacy mode is off.")] = None


class BotAnswer(Answer):
    """`revoked`: Telegram no longer knows its token."""

    bot_id: int
    username: str
    first_name: str
    state: str
    enabled: bool
    per_second: Annotated[int, Field(description="Sends a second that it may use.")]
    rate: Annotated[
        int,
        Field(description="What it uses of them now: half after a flood, all again four minutes later."),
    ]
    flood_until: Annotated[datetime | None, Field(description="Telegram told it to send nothing before.")]
    groups: int
    webhook_url: Annotated[str | None, Field(description="As it was set here; null: it was not.")]
    webhook_key: Annotated[str | None, Field(description="The version of MUSTER_WEBHOOK_KEYS in its secret.")]
    webhook_set_at: datetime | None
    health: Annotated[HealthAnswer | None, Field(description="null until a check after the last change, or a flood.")]
    created_at: datetime


@router.get("", operation_id="list_bots")
async def list_bots(caller: Reader, tx: Tx, asked: Asked) -> Page[BotAnswer]:
    """List bots by id."""
    rows = await bot_views.page(tx, within=caller.bot_ids, after=asked.number(0), limit=asked.limit + 1)
    return asked.page(rows, _shown, lambda row: row.bot_id)


@router.get("/{bot_id}", operation_id="get_bot")
async def get_bot(caller: Reader, tx: Tx, bot_id: BotNumber) -> BotAnswer:
    """Show a bot."""
    return _shown(_found(await bot_views.get(tx, bot_id, caller.bot_ids)))


@router.post("", status_code=201, response_model=BotAnswer, operation_id="register_bot")
async def register_bot(caller: Writer, backend: Ours, one: Idempotent, body: NewBot) -> Response:
    """Register a bot: its token checked and kept, its webhook set."""
    asked = body.told()
    again = await one.before(caller, body=asked)
    if again is not None:
        return again
    url = _webhook_url(backend, body.webhook)
    async with bot_admin(backend) as admin:
        token = body.token.get_secret_value()
        view = await admin.register(token, caller.actor, webhook_url=url, per_second=body.per_second)
    return await one.run(caller, _answering(view), body=asked, status=201)


@router.post("/{bot_id}:replace_token", response_model=BotAnswer, operation_id="replace_token")
async def replace_token(caller: Writer, backend: Ours, one: Idempotent, bot_id: BotNumber, body: NewToken) -> Response:
    """Give a bot its new token; its webhook is set again. Workers use it within half a minute."""
    asked = body.told()
    again = await one.before(caller, body=asked)
    if again is not None:
        return again
    async with bot_admin(backend) as admin:
        view = await admin.replace_token(bot_id, body.token.get_secret_value(), caller.actor)
    return await one.run(caller, _answering(view), body=asked)


@router.post("/{bot_id}:rotate_secret", response_model=BotAnswer, operation_id="rotate_secret")
async def rotate_secret(caller: Writer, backend: Ours, one: Idempotent, bot_id: BotNumber) -> Response:
    """Set the webhook again with a secret of the current key. No update is lost: both keys are accepted meanwhile."""
    again = await one.before(caller)
    if again is not None:
        return again
    async with bot_admin(backend) as admin:
        view = await admin.rotate_secret(bot_id, _own(backend), caller.actor)
    return await one.run(caller, _answering(view))


@router.post("/{bot_id}:check", operation_id="check_bot")
async def check_bot(caller: Writer, backend: Ours, bot_id: BotNumber) -> BotAnswer:
    """Ask Telegram how a bot and its webhook are: token, backlog, last failure, whose webhook it is."""
    async with bot_admin(backend) as admin:
        return _shown(await admin.check(bot_id, _own(backend), caller.actor))


@router.patch("/{bot_id}", operation_id="change_bot")
async def change_bot(caller: Writer, tx: Tx, bot_id: BotNumber, body: BotChanges) -> BotAnswer:
    """Change how fast a bot sends, or whether it does."""
    before = _found(await bot_views.get(tx, bot_id, caller.bot_ids))
    await bots.change(tx, bot_id, per_second=body.per_second, enabled=body.enabled)
    after = _found(await bot_views.get(tx, bot_id, caller.bot_ids))
    thing = f"bot:{bot_id}"
    entry = caller.entry("bot.change", thing, before=before.settings(), after=after.settings(), bot_ids=[bot_id])
    await audit.record(tx, entry)
    return _shown(after)


def _own(backend: Backend) -> str | None:
    base = backend.settings.public_url
    return base + PATH if base else None


def _webhook_url(backend: Backend, asked: bool | str) -> str | None:  # noqa: FBT001 (a field of the request)
    if isinstance(asked, str) or not asked:
        return asked or None
    own = _own(backend)
    if own is None:
        raise setting_missing("MUSTER_PUBLIC_URL")
    return own


def _answering(view: BotView) -> Callable[[pool.Tx], Awaitable[BaseModel]]:
    """What is done already, to be kept under the Idempotency-Key."""

    async def effect(_: pool.Tx) -> BaseModel:
        return _shown(view)

    return effect


def _found(view: BotView | None) -> BotView:
    if view is None:
        raise AppError("bot_not_found", 404, "there is no such bot")
    return view


def _shown(view: BotView) -> BotAnswer:
    fields = asdict(view)
    health, checked_at = fields.pop("health"), fields.pop("checked_at")
    health = health if checked_at else None
    if view.throttled:
        health = health or {"webhook": "unknown", "problems": []}
        health = health | {"problems": [*health["problems"], "throttled"]}
    known = HealthAnswer(checked_at=checked_at, **health) if health else None
    return BotAnswer(**fields, health=known)
