"""Whether a bot may write to a chat, and the refusal when it may not."""

from __future__ import annotations

from telegram_sim.bots import Bot
from telegram_sim.conversation import Conversation, Dialog
from telegram_sim.errors import forbidden


def check_can_write(_bot: Bot, place: Conversation, *, now: float) -> None:
    """Raises what Telegram answers to a send that it refuses."""
    if isinstance(place, Dialog):
        check_dialog(place, now=now)


def check_dialog(dialog: Dialog, *, now: float) -> None:
    """A private chat opens when the user writes first, or for minutes by a join request (M2)."""
    if dialog.user.deactivated:
        raise forbidden("user is deactivated")
    if dialog.blocked:
        raise forbidden("bot was blocked by the user")
    if not dialog.started and now > dialog.writable_until:
        raise forbidden("bot can't initiate conversation with a user")
