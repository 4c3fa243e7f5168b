"""Groups, supergroups and channels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from telegram_sim.conversation import Conversation
from telegram_sim.invites import InviteLink, JoinRequest
from telegram_sim.members import PERMISSIONS, Member

KINDS = frozenset({"group", "supergroup", "channel"})
WORDS = {"group": "group chat", "supergroup": "supergroup chat", "channel": "channel chat"}  # as errors say it


@dataclass
class Topic:
    """A forum topic; its id is the id of the message that made it."""

    id: int
    name: str
    icon_color: int = 0x6FB9F0
    closed: bool = False

    def as_json(self) -> dict[str, Any]:
        """ForumTopic."""
        return {"message_thread_id": self.id, "name": self.name, "icon_color": self.icon_color}


class Group(Conversation):
    """A chat with members; `migrated_to` makes it a dead one (M10)."""

    def __init__(self, chat_id: int, kind: str, title: str, *, keep: int) -> None:
        super().__init__(chat_id, keep=keep)
        self.kind = kind
        self.title = title
        self.username: str | None = None
        self.is_forum = False
        self.last_message_id = 0
        self.members: dict[int, Member] = {}
        self.permissions: dict[str, bool] = dict.fromkeys(PERMISSIONS, True)
        self.links: dict[str, InviteLink] = {}
        self.requests: dict[int, JoinRequest] = {}
        self.topics: dict[int, Topic] = {}
        self.migrated_to: int | None = None
        self.deleted = False

    def as_json(self) -> dict[str, Any]:
        """The Chat object."""
        shape: dict[str, Any] = {"id": self.id, "type": self.kind, "title": self.title}
        if self.username:
            shape["username"] = self.username
        if self.is_forum:
            shape["is_forum"] = True
        return shape

    def next_message_id(self) -> int:
        """Each chat counts for itself."""
        self.last_message_id += 1
        return self.last_message_id

    def member(self, account_id: int) -> Member:
        """An account's standing; one never seen has left."""
        return self.members.get(account_id, Member(account_id))

    def present(self) -> Iterable[Member]:
        """Those inside."""
        return (member for member in self.members.values() if member.present)

    def admins(self) -> Iterable[Member]:
        """Owners and administrators."""
        return (member for member in self.members.values() if member.is_admin)
