"""Whatever no other router took: everybody who writes gets an answer."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.types import CallbackQuery, Message

from dm.calls import Calls
from dm.conversation import Conversation


async def command(message: Message, conversation: Conversation) -> Calls:
    """One that does not exist."""
    return message.answer(conversation.say("unknown_command"))


async def text(message: Message, conversation: Conversation) -> Calls:
    """Plain words outside a conversation."""
    return message.answer(conversation.say("unknown_text"))


async def other(message: Message, conversation: Conversation) -> Calls:
    """Photos, stickers, voices and what Telegram may invent."""
    return message.answer(conversation.say("unknown_kind"))


async def button(query: CallbackQuery, conversation: Conversation) -> Calls:
    """A button of an earlier release."""
    return query.answer(conversation.say("button_old"))


async def edited(_: Message) -> None:
    """An edit is not a new question: nothing is said to it."""


def build() -> Router:
    """A new router each time; the last to be asked."""
    router = Router(name="fallback")
    router.message.register(command, F.text.startswith("/"))
    router.message.register(text, F.text)
    router.message.register(other)
    router.callback_query.register(button)
    router.edited_message.register(edited)
    return router
