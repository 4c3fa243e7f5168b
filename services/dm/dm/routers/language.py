"""/language: a button for each catalogue."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from dm.calls import Calls
from dm.conversation import Conversation
from dm.routers.editing import replace_text

PREFIX = "language:"


async def ask(message: Message, conversation: Conversation) -> Calls:
    """The languages by their own names."""
    buttons = [
        InlineKeyboardButton(text=name, callback_data=PREFIX + code) for code, name in conversation.languages.items()
    ]
    return message.answer(
        conversation.say("language_ask"), reply_markup=InlineKeyboardMarkup(inline_keyboard=[buttons])
    )


async def choose(query: CallbackQuery, conversation: Conversation) -> Calls:
    """Pressing twice sets the same again."""
    code = (query.data or "").removeprefix(PREFIX)
    if code not in conversation.languages:
        return query.answer(conversation.say("button_old"))
    conversation.change(language=code)
    return [query.answer(), *replace_text(query, conversation.say("language_set"))]


def build() -> Router:
    """A new router each time."""
    router = Router(name="language")
    router.message.register(ask, Command("language"))
    router.callback_query.register(choose, F.data.startswith(PREFIX))
    return router
