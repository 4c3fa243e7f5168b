"""What an answer of the Bot API (core.telegram.org/bots/api#making-requests) means for the caller; a pure function."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json

from common.errors import MusterError


class TelegramError(MusterError):
    """The Bot API did not do it. `outcome` is the short word for metrics and rows."""

    outcome = "error"


class NotSent(TelegramError):  # noqa: N818 (the fact that decides)
    """No byte of the request reached Telegram: it may be tried again."""

    outcome = "not_sent"


class Late(NotSent):
    """The time in which it might be begun was over: this process was stopped, or very busy."""

    outcome = "late"


class Unknown(TelegramError):  # noqa: N818 (the state that is recorded)
    """It may have happened or not: never repeated blindly."""

    outcome = "unknown"


class Transient(Unknown):
    """A 5xx: most likely not done, but the Bot API does not promise it; worth trying again after a while."""

    outcome = "transient"


class Flood(TelegramError):  # noqa: N818 (Telegram's word)
    """Too many requests: nothing was done, and nothing may be asked of this chat or bot for `retry_after` seconds."""

    outcome = "flood"

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"429, retry after {retry_after:g} s")
        self.retry_after = retry_after


class Held(Flood):
    """Not even asked: this process remembers an earlier 429 whose time is not over. It says nothing new."""


class Migrated(TelegramError):  # noqa: N818 (a fact)
    """The group has a new id; one resend to `chat_id` is right."""

    outcome = "migrated"

    def __init__(self, chat_id: int) -> None:
        super().__init__("the group became a supergroup")
        self.chat_id = chat_id


class Gone(TelegramError):  # noqa: N818 (a fact)
    """The bot is not in that chat any more, or the chat is no more."""

    outcome = "gone"


class ChatNotFound(Gone):
    """The bot sees no such chat, of those that the call names: to be asked for once more before anybody is lost."""


class NoRights(TelegramError):  # noqa: N818 (a fact)
    """The bot lacks a right in that chat."""

    outcome = "rights"


class TopicGone(TelegramError):  # noqa: N818 (a fact)
    """The topic is closed or deleted."""

    outcome = "topic"


class BadContent(TelegramError):  # noqa: N818 (a fact)
    """The content can't be sent to anybody."""

    outcome = "content"


class WrongFile(BadContent):
    """Telegram does not know this file, or could not fetch it from its address."""

    outcome = "file"


class ReplyGone(TelegramError):  # noqa: N818 (a fact)
    """The message to reply to is not there."""

    outcome = "reply"


class UserGone(TelegramError):  # noqa: N818 (a fact)
    """The user blocked the bot, never started it, or is deactivated."""

    outcome = "user_gone"


class Stale(TelegramError):  # noqa: N818 (a fact)
    """Too late or already so: a query is too old, a message is not modified. Nothing is left to do."""

    outcome = "stale"


class MessageGone(TelegramError):  # noqa: N818 (a fact)
    """The message to edit or delete is not there, or not any more."""

    outcome = "message_gone"


class MessageFixed(TelegramError):  # noqa: N818 (a fact)
    """The message is too old, or not the bot's: it can't be changed or deleted."""

    outcome = "message_fixed"


class SentDeleted(TelegramError):  # noqa: N818 (a fact)
    """It was sent, and another bot deleted it at once: counts as sent."""

    outcome = "sent_deleted"


class TokenRevoked(TelegramError):  # noqa: N818 (a fact)
    """The token is not valid any more: stop this bot."""

    outcome = "token"


class Conflict(TelegramError):  # noqa: N818 (Telegram's word)
    """Another poller or webhook uses this bot."""

    outcome = "conflict"


class ChatPolicy(TelegramError):  # noqa: N818 (a fact)
    """Slow mode, or the chat wants to be paid."""

    outcome = "policy"


class Refused(TelegramError):  # noqa: N818 (a fact)
    """A 4xx that the table does not know: permanent for this recipient."""

    outcome = "refused"


# Matched on the description, first hit wins; many of the server's 403 arrive as 400 (Client.cpp).
_TABLE: Final[tuple[tuple[re.Pattern[str], type[TelegramError]], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), error)
    for pattern, error in (
        (
            r"bot was blocked|user is deactivated|can't initiate conversation|USER_IS_BLOCKED|INPUT_USER_DEACTIVATED",
            UserGone,
        ),
        (r"query is too old|message is not modified|QUERY_ID_INVALID", Stale),
        (r"message to (delete|edit) not found|MESSAGE_ID_INVALID", MessageGone),
        (r"message can't be (deleted|edited)|MESSAGE_DELETE_FORBIDDEN|MESSAGE_EDIT_TIME_EXPIRED", MessageFixed),
        (r"bot was kicked|is not a member|group chat was deleted", Gone),
        (r"CHANNEL_PRIVATE|chat not found", ChatNotFound),
        (r"TOPIC_CLOSED|TOPIC_DELETED|message thread not found", TopicGone),
        (r"SLOWMODE_WAIT|ALLOW_PAYMENT_REQUIRED", ChatPolicy),
        (
            (
                r"not enough rights|have no rights|CHAT_WRITE_FORBIDDEN|CHAT_SEND_\w+_FORBIDDEN|CHAT_RESTRICTED"
                r"|CHAT_ADMIN_REQUIRED"
            ),
            NoRights,
        ),
        (r"message to be replied not found|reply message not found", ReplyGone),
        (
            (
                r"wrong (remote )?file|wrong type of (the )?(file|web page)|failed to get HTTP URL"
                r"|FILE_REFERENCE_\w+|FILE_ID_INVALID"
            ),
            WrongFile,
        ),
        (
            (
                r"can't parse|is too long|is empty|must be non-empty|BUTTON_\w+_INVALID|REPLY_MARKUP_\w+"
                r"|there is no (text|caption) in the message"
                r"|message to copy not found|messages? can't be copied|no messages to (copy|forward)"
                r"|CHAT_FORWARDS_RESTRICTED"
                r"|MEDIA_EMPTY|ENTIT(Y|IES)_\w+|unsupported start tag|inline keyboard"
                r"|PHOTO_\w+|IMAGE_PROCESS_FAILED|file is too big|Too Large|file must be non-empty"
            ),
            BadContent,
        ),
    )
)
MOST_ID: Final = 2**52  # of a chat or a message: Telegram promises fewer bits, and PostgreSQL has 63
_LONGEST: Final = 86_400.0  # seconds
_MAX_REPORT = 80  # characters of Telegram's description that we repeat
# A tag, a button's text or address: pieces of the message, which nobody reads in a log. Up to the last such quote, for
# a piece may have quotes of its own; an apostrophe begins none.
_QUOTED = re.compile(r"""(?<!\w)(["'])(?:.*\1|.*)""", re.DOTALL)


def outcome(status: int, body: bytes, retry_after: str | None) -> Any | TelegramError:
    """The result of an `ok: true`, read as raw JSON so that no unknown field can hide it; else the error to raise."""
    answer = _decode(body)
    if answer is None:
        return _undecodable(status, retry_after)
    if answer.get("ok") is True:
        return answer.get("result")
    code = answer.get("error_code", status)
    description = answer.get("description")
    parameters = answer.get("parameters")
    return classify(
        code if isinstance(code, int) else status,
        description if isinstance(description, str) else "",
        parameters if isinstance(parameters, dict) else {},
        retry_after,
    )


def message_ids(result: Any) -> tuple[int, ...]:
    """Of what was sent, of an album all of them; an id that no message of Telegram's has is not known."""
    messages = result if isinstance(result, list) else [result]
    found = [message.get("message_id") for message in messages if isinstance(message, dict)]
    return tuple(number for number in found if type(number) is int and 0 < number <= MOST_ID)


def classify(
    code: int, description: str, parameters: Mapping[str, Any], retry_after: str | None = None
) -> TelegramError:
    """Table E; the sender's and the group's part of each row is with whoever catches the class."""
    migrated = parameters.get("migrate_to_chat_id")
    match code:
        case 429:
            return Flood(_seconds(parameters.get("retry_after"), retry_after))
        case 400 if type(migrated) is int and -MOST_ID <= migrated < 0:
            return Migrated(migrated)
        case 404 if "method not found" in description:
            return Refused(f"404 {_told(description)}")  # a method that this server is too old for
        case 401 | 404:
            return TokenRevoked(f"{code} {_told(description)}")
        case 409:
            return Conflict(f"409 {_told(description)}")
        case 500 if "immediately deleted" in description:
            return SentDeleted("sent, and deleted at once by another bot")
        case _ if code >= 500:
            return Transient(f"{code} from Telegram")
        case _:
            kind = next((error for pattern, error in _TABLE if pattern.search(description)), Refused)
            return kind(f"{code} {_told(description)}")


def _undecodable(status: int, retry_after: str | None) -> TelegramError:
    if status == 429:
        return Flood(_seconds(None, retry_after))
    kind = Transient if status >= 500 else Unknown
    return kind(f"{status} with a body that is not the Bot API's")


def _decode(body: bytes) -> dict[str, Any] | None:
    try:
        answer = from_json(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and isinstance(answer.get("ok"), bool) else None


def _seconds(parameter: object, header: str | None) -> float:
    """At least one: zero would mean at once, again and again. At most a day: then it may be asked again."""
    if isinstance(parameter, int | float) and parameter >= 1:
        return float(min(parameter, _LONGEST))
    return min(max(1.0, float(header)), _LONGEST) if header and header.isdecimal() else 1.0


def _told(description: str) -> str:
    return _QUOTED.sub('"…"', description.replace("\0", ""))[:_MAX_REPORT]  # NUL: no text of PostgreSQL's has one
