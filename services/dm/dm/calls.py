"""What a handler returned, as rows: method names and JSON parameters, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from aiogram import Bot
from aiogram.dispatcher.event.bases import UNHANDLED
from aiogram.methods import TelegramMethod
from common.ids import BotId, ChatId, UpdateId
from common.records import Reply

Call: TypeAlias = TelegramMethod[Any]
Calls: TypeAlias = "Call | Sequence[Call] | None"


def to_replies(returned: object, bot: Bot, *, update_id: UpdateId, chat_id: ChatId) -> list[Reply]:
    """TypeError for anything that is no call: a handler's mistake is seen in its first test."""
    if returned is None or returned is UNHANDLED:
        return []
    calls = list(returned) if isinstance(returned, list | tuple) else [returned]
    return [_reply(call, bot, update_id, chat_id, seq) for seq, call in enumerate(calls)]


def _reply(call: object, bot: Bot, update_id: UpdateId, chat_id: ChatId, seq: int) -> Reply:
    if not isinstance(call, TelegramMethod):
        raise TypeError(f"a handler returns Bot API calls, not {type(call).__name__}")
    return Reply(BotId(bot.id), update_id, seq, chat_id, call.__api_method__, _params(call, bot))


def _params(call: Call, bot: Bot) -> dict[str, Any]:
    """As aiogram's own session would send them: defaults resolved, nested objects as JSON."""
    prepared = {
        key: bot.session.prepare_value(value, bot=bot, files={}, _dumps_json=False)
        for key, value in call.model_dump(warnings=False).items()
    }
    return {key: value for key, value in prepared.items() if value is not None}
