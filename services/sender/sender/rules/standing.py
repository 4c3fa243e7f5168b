"""Which chat a refusal speaks of: a copy's may be the original's, and "not found" loses no group. Pure."""

from __future__ import annotations

from typing import Any

from common.telegram.errors import (
    BadContent,
    ChatNotFound,
    Flood,
    Gone,
    Migrated,
    NotSent,
    Refused,
    TelegramError,
    TokenRevoked,
    Unknown,
)

COPY = "copyMessage"  # names the chat of the original besides the group


def asks(error: TelegramError, method: str) -> bool:
    """Telegram is asked for the bot's place in the group before the group is called lost, or moved."""
    return isinstance(error, ChatNotFound) or (method == COPY and isinstance(error, Gone | Migrated))


def truth(error: TelegramError, method: str, answer: Any | TelegramError) -> TelegramError:
    """What it means by the answer to that question. Nothing was sent: where there is none, it is tried again; a 429 is
    the bot's, whatever was asked.
    """
    match answer:
        case Gone() | Migrated() | Flood():
            return answer
        case NotSent() | Unknown() | TokenRevoked():
            return NotSent("refused, and nobody knows which chat was meant")
        case {"status": "left" | "kicked"} | {"is_member": False}:
            return Gone(str(error))
        case _ if method != COPY:
            return Refused(str(error))
        case _ if isinstance(error, Migrated):
            return BadContent("400 the chat of the original became a supergroup")
        case _:
            return BadContent(f"{error} (the original's)")
