"""Which bots see a group message (U2)."""

from __future__ import annotations

from telegram_sim.bots import Bot
from telegram_sim.conversation import Message
from telegram_sim.members import Member

SERVICE_FIELDS = frozenset(
    {
        "new_chat_members",
        "left_chat_member",
        "migrate_to_chat_id",
        "migrate_from_chat_id",
        "forum_topic_created",
        "forum_topic_closed",
        "forum_topic_reopened",
        "pinned_message",
        "new_chat_title",
        "group_chat_created",
    }
)


def sees(bot: Bot, standing: Member, message: Message) -> bool:
    """Administrators and bots without privacy mode see all; others see what is meant for them, and service messages."""
    if not standing.present:
        return False
    if standing.is_admin or bot.read_all or SERVICE_FIELDS & message.keys():
        return True
    replied = message.get("reply_to_message", {}).get("from", {}).get("id") == bot.id
    return replied or addressed(bot, message.get("text") or message.get("caption") or "")


def addressed(bot: Bot, text: str) -> bool:
    """A command for this bot or for any, or a mention of it."""
    name = f"@{bot.username.lower()}"
    if text.startswith("/"):
        command = text.split(maxsplit=1)[0].lower()
        return "@" not in command or command.endswith(name)
    return name in text.lower().split()
