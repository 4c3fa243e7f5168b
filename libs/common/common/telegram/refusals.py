"""Calls made while somebody waits for the answer: a failure becomes an AppError that tells them what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from common.errors import AppError
from common.telegram.errors import Flood, NotSent, TelegramError, TokenRevoked, Unknown

_AGAIN = {"Retry-After": "5"}


@contextmanager
def asking() -> Iterator[None]:
    """Around the calls."""
    try:
        yield
    except TelegramError as error:
        raise refusal(error) from None


def refusal(error: TelegramError) -> AppError:
    """Without the token, which is in no TelegramError's text."""
    match error:
        case TokenRevoked():
            return AppError("token_refused", 422, "Telegram does not know this token")
        case Flood(retry_after=seconds):
            again = {"Retry-After": str(round(seconds))}
            return AppError("telegram_busy", 503, "Telegram asks to wait", headers=again, retry_after=round(seconds))
        case NotSent() | Unknown():
            return AppError("telegram_unavailable", 503, str(error), headers=_AGAIN)
        case _:
            return AppError("telegram_refused", 422, str(error))


def an_object(answer: Any) -> dict[str, Any]:
    """AppError for an answer of any other shape."""
    if not isinstance(answer, dict):
        raise AppError("telegram_unavailable", 503, "Telegram's answer can't be read", headers=_AGAIN)
    return answer
