"""What a pressed button does to its message."""

from __future__ import annotations

from aiogram.types import CallbackQuery, Message

from dm.calls import Call


def replace_text(query: CallbackQuery, text: str) -> list[Call]:
    """The question becomes its answer; a message that is too old to be seen by the bot stays as it is."""
    return [query.message.edit_text(text)] if isinstance(query.message, Message) else []
