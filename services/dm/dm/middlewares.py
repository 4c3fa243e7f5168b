"""Before any handler: the conversation's state for aiogram's filters, who this is, and patience with who writes too
fast.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware, Bot
from aiogram.fsm.context import FSMContext
from aiogram.fsm.storage.base import StorageKey
from aiogram.types import Message, TelegramObject

from dm.conversation import Conversation
from dm.storage import DialogueStorage

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]


class StateMiddleware(BaseMiddleware):
    """What aiogram's own FSM middleware does, with a storage that lives for one update."""

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Adds `state` and `raw_state`."""
        conversation: Conversation = data["conversation"]
        bot: Bot = data["bot"]
        key = StorageKey(bot_id=bot.id, chat_id=conversation.chat_id, user_id=conversation.dialogue.user_id)
        data["state"] = FSMContext(DialogueStorage(conversation), key)
        data["raw_state"] = conversation.dialogue.state
        return await handler(event, data)


class CommandLeavesMiddleware(BaseMiddleware):
    """A command ends the conversation it comes into: what is written after it is no answer to an old question."""

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """`raw_state` still says what was left."""
        state: FSMContext = data["state"]
        if data["raw_state"] is not None and isinstance(event, Message) and (event.text or "").startswith("/"):
            await state.clear()
        return await handler(event, data)


class PatienceMiddleware(BaseMiddleware):
    """So many commands a minute; one polite notice at the next one, silence after it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Only what begins with a slash counts, in a caption too: answers inside a conversation are free."""
        conversation: Conversation = data["conversation"]
        if not (isinstance(event, Message) and (event.text or event.caption or "").startswith("/")):
            return await handler(event, data)
        count = conversation.count_command()
        if count <= self._limit:
            return await handler(event, data)
        return event.answer(conversation.say("patience")) if count == self._limit + 1 else None
