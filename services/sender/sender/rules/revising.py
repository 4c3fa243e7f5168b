"""How a sent message is deleted or edited, and what the end of such a call means. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from common.congestion import BOT_WIDE
from common.records import REVISION_ATTEMPTS, BegunItem
from common.telegram import errors
from common.telegram.errors import TelegramError

from sender.rules.outcomes import backoff
from sender.rules.parts import UnsendableError, check
from sender.rules.render import TEXTS, filled

PARTS = "it was sent in several messages"  # another text would be cut elsewhere
TOO_OLD, MOVED = "older than 48 hours", "the group became a supergroup since"
NO_LAST = "the message that has its buttons is not known"
UNSEEN = "deleted as far as its message ids are known: more of it may be there"
_BUTTONS = "editMessageReplyMarkup"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`state` is the item's; the rest says what else follows, and nothing where it is empty. An attempt that is
    `unsent` surely did nothing, and is not counted.
    """

    state: str
    reason: str | None = None
    delay: timedelta = timedelta()
    chat_flood: timedelta | None = None
    bot_flood: timedelta | None = None
    migrated_to: int | None = None
    unsent: bool = False
    stop: bool = False


def call(content: dict[str, Any], item: BegunItem) -> tuple[str, dict[str, Any]]:
    """(method, parameters). An album is deleted as a whole; its caption is its first message's. The buttons of a text
    in several parts are the last one's.
    """
    first, *more = item.message_ids
    if item.kind == "edit":
        values = {**item.variables, "title": item.title}
        edited = item.message_ids[-1] if content["method"] == _BUTTONS else first
        params = {"chat_id": item.chat_id, "message_id": edited, **content["params"]}
        return content["method"], filled(params, values)
    if more:
        return "deleteMessages", {"chat_id": item.chat_id, "message_ids": item.message_ids}
    return "deleteMessage", {"chat_id": item.chat_id, "message_id": first}


def before(item: BegunItem, content: dict[str, Any]) -> Verdict | None:
    """What is known without asking Telegram. In a group that moved, the number names somebody else's message. What a
    group's values make of an edit is no reason to stop it for the others.
    """
    method = content.get("method")
    if method == "editMessageText" and max(item.parts, len(item.message_ids)) > 1:
        return Verdict("failed", PARTS)
    if method == _BUTTONS and len(item.message_ids) < item.parts:
        return Verdict("failed", NO_LAST)
    if item.moved:
        return Verdict("failed", MOVED)
    if item.late:
        return Verdict("not_recallable", TOO_OLD)
    if any("{{" in content.get("params", {}).get(name, "") for name in TEXTS):
        try:
            check(call(content, item)[1])
        except UnsendableError as reason:
            return Verdict("failed", str(reason))
    return None


def after(error: TelegramError | None, item: BegunItem) -> Verdict:  # noqa: C901 (an answer a row)
    """Repeating is harmless: what is gone already, or says so already, is done."""
    match error:
        case errors.MessageGone() | None if item.kind == "recall":
            return Verdict("failed", UNSEEN) if item.unseen else Verdict("done", error.outcome if error else None)
        case None | errors.Stale() | errors.SentDeleted():
            return Verdict("done", error.outcome if error else None)
        case errors.MessageFixed() if item.kind == "recall":
            return Verdict("not_recallable", str(error))
        case errors.Held(retry_after=seconds):
            return Verdict("pending", error.outcome, timedelta(seconds=seconds), unsent=True)
        case errors.Flood(retry_after=seconds):
            wait = timedelta(seconds=seconds)
            if wait >= BOT_WIDE:
                return Verdict("pending", error.outcome, wait, bot_flood=wait, unsent=True)
            return Verdict("pending", error.outcome, wait, chat_flood=wait, unsent=True)
        case errors.NotSent():
            return Verdict("pending", error.outcome, backoff(item.unsent + 1), unsent=True)
        case errors.Unknown() if item.attempts < REVISION_ATTEMPTS:
            return Verdict("pending", error.outcome, backoff(item.attempts))
        case errors.TokenRevoked():
            return Verdict("pending", error.outcome, timedelta(seconds=1), unsent=True)
        case errors.Migrated(chat_id=chat_id):
            return Verdict("failed", MOVED, migrated_to=chat_id)
        case errors.BadContent():
            return Verdict("failed", str(error), stop=True)
        case _:
            return Verdict("failed", error.outcome if type(error) is not errors.Refused else str(error))
