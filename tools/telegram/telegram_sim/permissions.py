"""Whether a bot may act in a chat, and the refusal when it may not (table E)."""

from __future__ import annotations

from telegram_sim.bots import Bot
from telegram_sim.conversation import Conversation, Dialog
from telegram_sim.errors import bad_request, forbidden, migrated
from telegram_sim.groups import WORDS, Group
from telegram_sim.members import Member

NEEDED = {
    "text": ("can_send_messages", "text messages"),
    "photo": ("can_send_photos", "photos"),
    "video": ("can_send_videos", "videos"),
    "document": ("can_send_documents", "documents"),
    "audio": ("can_send_audios", "music"),
}


def check_can_write(bot: Bot, place: Conversation, *, kind: str, now: float) -> None:
    """Raises what Telegram answers to a send that it refuses."""
    if isinstance(place, Dialog):
        check_dialog(place, now=now)
    elif isinstance(place, Group):
        check_group(bot, place, kind=kind)


def check_dialog(dialog: Dialog, *, now: float) -> None:
    """A private chat opens when the user writes first, or for minutes by a join request (M2)."""
    if dialog.user.deactivated:
        raise forbidden("user is deactivated")
    if dialog.blocked:
        raise forbidden("bot was blocked by the user")
    if not dialog.started and now > dialog.writable_until:
        raise forbidden("bot can't initiate conversation with a user")


def check_group(bot: Bot, group: Group, *, kind: str) -> None:
    """Inside, alive, and not muted by the chat's or the bot's own restrictions."""
    standing = check_inside(bot, group)
    if group.kind == "channel" and not standing.may("can_post_messages"):
        raise bad_request("need administrator rights in the channel chat")
    right, words = NEEDED.get(kind, NEEDED["text"])
    own = standing.permissions.get(right, False) if standing.status == "restricted" else True
    if not standing.is_admin and not (own and group.permissions.get(right, True)):
        raise bad_request(f"not enough rights to send {words} to the chat")


def check_inside(bot: Bot, group: Group) -> Member:
    """The bot's standing in a chat that exists and that it is in."""
    if group.migrated_to is not None:
        raise migrated(group.migrated_to)
    if group.deleted:
        raise forbidden("the group chat was deleted")
    standing = group.member(bot.id)
    if standing.status == "kicked":
        raise forbidden(f"bot was kicked from the {WORDS[group.kind]}")
    if not standing.present:
        raise forbidden(f"bot is not a member of the {WORDS[group.kind]}")
    return standing


def check_right(bot: Bot, group: Group, right: str, refusal: str) -> None:
    """Inside, and an administrator with this right."""
    if not check_inside(bot, group).may(right):
        raise bad_request(refusal)
