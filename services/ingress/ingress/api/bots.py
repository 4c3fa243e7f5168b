"""Bots: who they are and how they are."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, TypeAlias

from common.errors import AppError
from common.store import bot_views
from fastapi import APIRouter, Path, Security
from pydantic import Field

from ingress.api.fields import BIGINT, Answer
from ingress.api.pages import Asked, Page
from ingress.auth import Caller, authorized
from ingress.deps import Tx

router = APIRouter(prefix="/api/bots", tags=["bots"])
Reader: TypeAlias = Annotated[Caller, Security(authorized, scopes=["bots:read"])]


class BotAnswer(Answer):
    """`revoked`: Telegram no longer knows its token."""

    bot_id: int
    username: str
    first_name: str
    state: str
    per_second: Annotated[int, Field(description="Sends a second that it may use.")]
    flood_until: Annotated[datetime | None, Field(description="Telegram told it to send nothing before.")]
    groups: int
    created_at: datetime


@router.get("", operation_id="list_bots")
async def list_bots(caller: Reader, tx: Tx, asked: Asked) -> Page[BotAnswer]:
    """List bots by id."""
    rows = await bot_views.page(tx, within=caller.bot_ids, after=asked.number(0), limit=asked.limit + 1)
    return asked.page(rows, lambda row: BotAnswer(**asdict(row)), lambda row: row.bot_id)


@router.get("/{bot_id}", operation_id="get_bot")
async def get_bot(
    caller: Reader, tx: Tx, bot_id: Annotated[int, Path(ge=1, le=BIGINT, examples=[123456789])]
) -> BotAnswer:
    """Show a bot."""
    row = await bot_views.get(tx, bot_id, caller.bot_ids)
    if row is None:
        raise AppError("bot_not_found", 404, "there is no such bot")
    return BotAnswer(**asdict(row))
