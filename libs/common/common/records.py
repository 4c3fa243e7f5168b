"""Rows as frozen dataclasses: no Record walks the house."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from common.ids import BotId, ChatId, UpdateId, UserId

REVISION_ATTEMPTS: Final = 8  # to delete or edit a message, whose end nobody knows
DialogueStatus = Literal["new", "active", "stopped", "blocked"]


@dataclass(frozen=True, slots=True)
class Bot:
    """`token` is ciphertext under the key version `token_key`."""

    bot_id: BotId
    username: str
    first_name: str
    token: bytes = field(repr=False)
    token_key: str
    state: Literal["active", "revoked"] = "active"


@dataclass(frozen=True, slots=True)
class Person:
    """A Telegram user as the last update showed them."""

    user_id: UserId
    first_name: str
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One user's conversation with one bot. `window_*` count commands of the running minute; times are the
    database's.
    """

    bot_id: BotId
    user_id: UserId
    status: DialogueStatus
    language: str | None
    state: str | None
    data: dict[str, Any] = field(repr=False)
    start_payload: str | None
    window_start: datetime
    window_count: int
    created_at: datetime
    seen_at: datetime  # now, by the database's clock


@dataclass(frozen=True, slots=True)
class Reply:
    """One Bot API call that an update asks for; `attempts` counts from 1."""

    bot_id: BotId
    update_id: UpdateId
    seq: int
    chat_id: ChatId
    method: str
    params: dict[str, Any] = field(repr=False)
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery that may be sent soon, or an item that `revises` one; `due_at` is later than now where its group's
    window is closed.
    """

    delivery_id: int
    broadcast_id: int
    group_id: int
    bot_id: BotId
    priority: int
    due_at: datetime
    revises: bool = False
    items: int = 1  # what it counts against the limits
    slots: int = 1  # of its bot that it needs: as many, or all that the bot has


@dataclass(frozen=True, slots=True)
class Begun:
    """A delivery whose intent is committed: from here on only its outcome is open. `outdated`: the text is another one
    since its first part was sent; `unsent`: attempts in a row before it that did nothing, which `attempts` leaves out;
    `doubted`: an earlier one may have arrived.
    """

    delivery_id: int
    broadcast_id: int
    group_id: int
    bot_id: BotId
    chat_id: ChatId
    attempts: int
    on_unknown: str
    title: str
    variables: dict[str, Any]
    edition: int = 0
    parts_done: int = 0  # messages of it that are confirmed
    parts: int = 1  # that it takes, as far as known
    outdated: bool = False
    unsent: int = 0
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class BegunItem:
    """A message that is about to be deleted or edited. `moved`: its group has another chat since; `late`: Telegram
    deletes it no more; `unseen`: more of it than these ids may stand in the group. `parts` are what its text takes.
    """

    item_id: int
    revision_id: int
    kind: str
    group_id: int
    bot_id: BotId
    chat_id: ChatId
    attempts: int
    message_ids: list[int]
    title: str
    variables: dict[str, Any]
    moved: bool
    late: bool
    parts: int = 1
    unseen: bool = False
    unsent: int = 0


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A slot that nobody holds, and when it may be used."""

    bot_id: BotId
    slot: int
    free_at: datetime


@dataclass(frozen=True, slots=True)
class GroupState:
    """What Telegram's events may change of a group."""

    group_id: int
    bot_id: BotId
    chat_id: ChatId
    phase: str
    health: str
    missing_rights: list[str]
    out_reason: str | None
    migrated_to: ChatId | None

    def facts(self) -> dict[str, Any]:
        """For the audit trail."""
        return {"phase": self.phase, "health": self.health, "chat_id": self.chat_id, "bot_id": self.bot_id}


@dataclass(frozen=True, slots=True)
class Moment:
    """When Telegram says that something happened, to the second, and the update that orders within one."""

    at: datetime
    update_id: UpdateId


@dataclass(frozen=True, slots=True)
class Turn:
    """A slot that a reply holds, and when it may be used."""

    bot_id: BotId
    slot: int
    holder: str
    at: datetime
