"""What an update of a group says, read from raw JSON: never raises, whatever it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

from common.ids import ChatId, UpdateId
from common.records import Moment

_INT64: Final = 2**63
_LATEST: Final = 2**35  # seconds since 1970: beyond it a year has five digits
_MAX_TITLE: Final = 255
# What growing a group needs of its bot: to let people in, and to remove them.
WANTED: Final = ("can_invite_users", "can_restrict_members")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Not as Telegram writes it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bot stands in a group, and what it lacks there."""

    chat_id: ChatId
    kind: str
    title: str = field(repr=False)
    inside: bool
    missing: list[str]
    health: str
    moment: Moment


@dataclass(frozen=True, slots=True)
class Migration:
    """From one chat id to another; both chats tell of it."""

    old: ChatId
    new: ChatId
    title: str = field(repr=False)
    moment: Moment


@dataclass(frozen=True, slots=True)
class Title:
    """A group's new one."""

    chat_id: ChatId
    kind: str
    title: str = field(repr=False)
    moment: Moment


def membership(update: Mapping[str, Any], bot_id: int) -> Place | Unreadable | None:
    """None for a channel: nothing of ours is there."""
    event = _object(update.get("my_chat_member"))
    chat, member = _object(event.get("chat")), _object(event.get("new_chat_member"))
    if chat.get("type") == "channel":
        return None
    chat_id, kind, moment = _chat_id(chat.get("id")), chat.get("type"), _moment(update, event)
    if chat_id is None or moment is None or kind not in {"group", "supergroup"}:
        return Unreadable("a membership without a usable group or date")
    if _object(member.get("user")).get("id") != bot_id:
        return Unreadable("a membership of somebody else")
    standing = _standing(member)
    if standing is None:
        return Unreadable("a membership with an unknown status")
    inside, missing, health = standing
    return Place(chat_id, str(kind), _title(chat.get("title")), inside, missing, health, moment)


def migration(update: Mapping[str, Any]) -> Migration | Unreadable:
    """Of either service message."""
    message = _message(update)
    chat, moment = _object(message.get("chat")), _moment(update, message)
    here = _chat_id(chat.get("id"))
    old = _chat_id(message["migrate_from_chat_id"]) if "migrate_from_chat_id" in message else here
    new = _chat_id(message["migrate_to_chat_id"]) if "migrate_to_chat_id" in message else here
    if old is None or new is None or old == new or moment is None:
        return Unreadable("a migration without two usable chats or a date")
    return Migration(old, new, _title(chat.get("title")), moment)


def title(update: Mapping[str, Any]) -> Title | Unreadable | None:
    """None for a service message of another kind."""
    message = _message(update)
    if "new_chat_title" not in message:
        return None
    chat, moment = _object(message.get("chat")), _moment(update, message)
    chat_id, kind, words = _chat_id(chat.get("id")), chat.get("type"), _title(message.get("new_chat_title"))
    if chat_id is None or kind not in {"group", "supergroup"} or moment is None or not words:
        return Unreadable("a new title without a usable chat, date or text")
    return Title(chat_id, str(kind), words, moment)


def _standing(member: Mapping[str, Any]) -> tuple[bool, list[str], str] | None:
    """Inside, missing rights, health: who is no administrator is told of no member (U1)."""
    match member.get("status"):
        case "creator":
            return True, [], "ok"
        case "administrator":
            missing = [right for right in WANTED if member.get(right) is not True]
            return True, missing, "degraded" if missing else "ok"
        case "member":
            return True, list(WANTED), "blind"
        case "restricted" if member.get("is_member") is True:
            if member.get("can_send_messages") is True:
                return True, list(WANTED), "blind"
            return True, ["can_send_messages", *WANTED], "degraded"
        case "left" | "kicked" | "restricted":
            return False, [], "unreachable"
        case _:
            return None


def _message(update: Mapping[str, Any]) -> Mapping[str, Any]:
    return _object(update.get("message")) or _object(update.get("edited_message"))


def _moment(update: Mapping[str, Any], event: Mapping[str, Any]) -> Moment | None:
    date, update_id = event.get("date"), update.get("update_id")
    if not (_is_int(date) and _is_int(update_id) and 0 <= date < _LATEST and 0 <= update_id < _INT64):
        return None
    return Moment(datetime.fromtimestamp(date, UTC), UpdateId(update_id))


def _chat_id(value: Any) -> ChatId | None:
    return ChatId(value) if _is_int(value) and -_INT64 <= value < 0 else None


def _title(value: object) -> str:
    # PostgreSQL's text has no NUL; Telegram sends none, but anybody may post one (reliability D4).
    return value.replace("\0", "")[:_MAX_TITLE] if isinstance(value, str) else ""


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
