"""Groups: registered by API or seen by their bot, with the settings that sending needs."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime, time
from typing import Annotated, Any, Literal, Self, TypeAlias

from common.errors import AppError
from common.store import audit, bot_views, group_admin, pool
from common.store.group_admin import Filter, GroupRow
from fastapi import APIRouter, Depends, Path, Query, Response, Security
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    model_validator,
)

from ingress.api.fields import BIGINT, Answer, Id, Request, Tag, Text, storable
from ingress.api.pages import Asked, Page
from ingress.auth import Caller, authorized
from ingress.deps import Tx
from ingress.once import Once, once
from ingress.rules import shapes
from ingress.rules.markup import ALWAYS
from ingress.rules.refusals import Misfit

router = APIRouter(prefix="/api/groups", tags=["groups"])
Reader: TypeAlias = Annotated[Caller, Security(authorized, scopes=["groups:read"])]
Writer: TypeAlias = Annotated[Caller, Security(authorized, scopes=["groups:write"])]
GroupId: TypeAlias = Annotated[int, Path(ge=1, le=BIGINT, examples=[1])]
Phase: TypeAlias = Literal["discovered", "growth", "monitoring", "paused", "lost", "migrated", "archived"]
Health: TypeAlias = Literal["ok", "degraded", "throttled", "blind", "unreachable"]
_LONGEST_VALUE = 1024
_MAY_BE_NULL = {"window", "out_reason"}


def _free(name: str) -> str:
    if name in ALWAYS:
        raise ValueError(f"every group has {{{{{name}}}}} without it: a variable needs another name")
    return name


_VariableName = Annotated[str, StringConstraints(pattern=shapes.VARIABLE), AfterValidator(_free)]


def _value(value: str | float) -> str | float:
    if isinstance(value, str) and len(storable(value)) > _LONGEST_VALUE:
        raise ValueError(f"longer than {_LONGEST_VALUE} characters")
    return value


def _clock(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a time of day, like 09:00")  # noqa: TRY004 (for pydantic)
    return value


_VariableValue = Annotated[str | bool | int | Annotated[float, Field(allow_inf_nan=False)], AfterValidator(_value)]
_Minute = Annotated[time, Strict(strict=False), BeforeValidator(_clock)]


class Window(Request):
    """From one time of day to another in the group's timezone; it may cross midnight."""

    model_config = ConfigDict(populate_by_name=True)

    opens: Annotated[_Minute, Field(alias="from", examples=["09:00"])]
    closes: Annotated[_Minute, Field(alias="to", examples=["21:00"])]

    @model_validator(mode="after")
    def _plain(self) -> Self:
        if self.opens.tzinfo or self.closes.tzinfo:
            raise ValueError("times of a window have no offset: they are in the group's timezone")
        if self.opens == self.closes:
            raise ValueError("a window opens and closes at different times")
        return self


class GroupSettings(Request):
    """Only what is given is changed."""

    tags: Annotated[list[Tag], Field(max_length=50)] | None = None
    variables: Annotated[dict[_VariableName, _VariableValue], Field(max_length=50)] | None = None
    timezone: Annotated[str, StringConstraints(pattern=shapes.TIMEZONE)] | None = None
    window: Annotated[Window | None, Field(description="null: at any time.")] = None
    final_message_allowed: bool | None = None

    @model_validator(mode="after")
    def _no_nulls(self) -> Self:
        for name in sorted(self.model_fields_set - _MAY_BE_NULL):
            if getattr(self, name) is None:
                raise Misfit(name, "null is no value here: leave it out to keep what is there")
        return self

    def onto(self, row: GroupRow) -> GroupRow:
        """The row with these settings."""
        simple = {"tags", "variables", "timezone", "final_message_allowed"} & self.model_fields_set
        changes: dict[str, Any] = {n: v for n in simple if (v := getattr(self, n)) is not None}
        if "tags" in changes:
            changes["tags"] = sorted(set(changes["tags"]))
        if "window" in self.model_fields_set:
            changes["window_from"] = self.window.opens if self.window else None
            changes["window_to"] = self.window.closes if self.window else None
        return replace(row, **changes)


class NewGroup(GroupSettings):
    """A chat that the bot is in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"bot_id": 123456789, "chat_id": -1001234567890, "title": "Berlin", "tags": ["berlin"]}]
        }
    )

    bot_id: Id
    chat_id: Annotated[int, Field(ge=-BIGINT, le=-1, strict=True)]
    title: Annotated[Text, StringConstraints(max_length=255)] = ""
    kind: Literal["group", "supergroup"] = "supergroup"


class GroupChanges(GroupSettings):
    """`out_reason: null` lets a group that was taken out of sending in again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"tags": ["berlin"], "timezone": "Europe/Berlin", "window": {"from": "09:00", "to": "21:00"}}]
        }
    )

    out_reason: None = None

    def onto(self, row: GroupRow) -> GroupRow:
        """With the reason taken away too."""
        changed = super().onto(row)
        return replace(changed, out_reason=None) if "out_reason" in self.model_fields_set else changed


class GroupAnswer(Answer):
    """`out_reason` says why nothing is sent there."""

    group_id: int
    bot_id: int
    chat_id: int
    kind: str
    title: str
    tags: list[str]
    variables: dict[str, Any]
    timezone: str
    window: dict[str, str] | None
    final_message_allowed: bool
    phase: Phase
    health: Health
    missing_rights: Annotated[list[str], Field(description="What the bot may not do there, and growing needs.")]
    failures: Annotated[int, Field(description="Sends that failed in a row; three take the group out of sending.")]
    out_reason: str | None
    migrated_to: Annotated[int | None, Field(description="The chat's new id, where this is a pointer to it.")]
    created_at: datetime
    updated_at: datetime


def _wanted(
    bot_id: Annotated[int | None, Query(ge=1, le=BIGINT, description="Of this bot.")] = None,
    tag: Annotated[Tag | None, Query(description="With this tag.")] = None,
    phase: Annotated[Phase | None, Query(description="In this phase.")] = None,
    sendable: Annotated[bool | None, Query(description="Whether broadcasts go there now.")] = None,
    health: Annotated[Health | None, Query(description="That are so.")] = None,
    chat_id: Annotated[int | None, Query(ge=-BIGINT, le=-1, description="Telegram's id of the chat.")] = None,
) -> Filter:
    return Filter(bot_id, tag, phase, sendable, health, chat_id)


@router.get("", operation_id="list_groups")
async def list_groups(
    caller: Reader, tx: Tx, asked: Asked, wanted: Annotated[Filter, Depends(_wanted)]
) -> Page[GroupAnswer]:
    """List groups by id."""
    rows = await group_admin.page(tx, wanted, within=caller.bot_ids, after=asked.number(0), limit=asked.limit + 1)
    return asked.page(rows, _shown, lambda row: row.group_id)


@router.get("/{group_id}", operation_id="get_group")
async def get_group(caller: Reader, tx: Tx, group_id: GroupId) -> GroupAnswer:
    """Show a group."""
    return _shown(_found(await group_admin.get(tx, group_id, caller.bot_ids)))


@router.post("", status_code=201, response_model=GroupAnswer, operation_id="register_group")
async def register_group(caller: Writer, one: Annotated[Once, Depends(once)], body: NewGroup) -> Response:
    """Register a chat of a bot."""

    async def effect(tx: pool.Tx) -> GroupAnswer:
        if await bot_views.get(tx, body.bot_id, caller.bot_ids) is None:
            raise AppError("unknown_bot", 422, "there is no such bot")
        group_id = await group_admin.add(tx, body.bot_id, body.chat_id, title=body.title, kind=body.kind)
        if group_id is None:
            raise AppError("group_exists", 409, "this chat is registered already")
        row = _found(await group_admin.lock(tx, group_id, caller.bot_ids))
        return await _change(tx, caller, row, body, "group.register")

    return await one.run(caller, effect, body=body, status=201)


@router.patch("/{group_id}", operation_id="change_group")
async def change_group(caller: Writer, tx: Tx, group_id: GroupId, body: GroupChanges) -> GroupAnswer:
    """Change a group's settings."""
    row = _found(await group_admin.lock(tx, group_id, caller.bot_ids))
    if _same(body.onto(row), row):
        return _shown(row)
    return await _change(tx, caller, row, body, "group.change")


async def _change(tx: pool.Tx, caller: Caller, row: GroupRow, body: GroupSettings, action: str) -> GroupAnswer:
    if body.timezone is not None and body.timezone != row.timezone:
        await _check_timezone(tx, body.timezone)
    saved = await group_admin.save(tx, body.onto(row))
    entry = caller.entry(
        action, f"group:{row.group_id}", before=row.settings(), after=saved.settings(), bot_ids=[row.bot_id]
    )
    await audit.record(tx, entry)
    return _shown(saved)


async def _check_timezone(tx: pool.Tx, name: str) -> None:
    if not await group_admin.knows_timezone(tx, name):
        place = {"in": "body", "at": "timezone", "what": "is no name of the time zone database, like Europe/Berlin"}
        raise AppError("invalid_request", 422, "the request is not valid", errors=[place])


def _same(one: GroupRow, other: GroupRow) -> bool:
    """As texts would say them: to Python 1 and true are equal."""
    return one == other and json.dumps(one.variables, sort_keys=True) == json.dumps(other.variables, sort_keys=True)


def _found(row: GroupRow | None) -> GroupRow:
    if row is None:
        raise AppError("group_not_found", 404, "there is no such group")
    return row


def _shown(row: GroupRow) -> GroupAnswer:
    fields = asdict(row)
    opens, closes = fields.pop("window_from"), fields.pop("window_to")
    window = {"from": opens.isoformat("minutes"), "to": closes.isoformat("minutes")} if opens and closes else None
    return GroupAnswer(**fields, window=window)
