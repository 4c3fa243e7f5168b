"""The user blocked the bot or let it in again (my_chat_member in a private chat)."""

from __future__ import annotations

from aiogram import Router
from aiogram.types import ChatMemberUpdated

from dm.conversation import Conversation


async def changed(event: ChatMemberUpdated, conversation: Conversation) -> None:
    """Unblocking is no /start: the bot still may not write unasked."""
    if event.new_chat_member.status == "kicked":
        conversation.set_status("blocked")
    elif conversation.dialogue.status == "blocked":
        conversation.set_status("stopped")


def build() -> Router:
    """A new router each time."""
    router = Router(name="membership")
    router.my_chat_member.register(changed)
    return router
