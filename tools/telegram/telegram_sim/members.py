"""Membership of one account in one chat, in the Bot API's six shapes (core.telegram.org/bots/api#chatmember)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ADMIN_RIGHTS = (
    "can_manage_chat",
    "can_change_info",
    "can_delete_messages",
    "can_invite_users",
    "can_restrict_members",
    "can_pin_messages",
    "can_manage_topics",
    "can_promote_members",
    "can_manage_video_chats",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
    "can_manage_tags",
    "can_post_messages",
    "can_edit_messages",
)
PERMISSIONS = (
    "can_send_messages",
    "can_send_audios",
    "can_send_documents",
    "can_send_photos",
    "can_send_videos",
    "can_send_video_notes",
    "can_send_voice_notes",
    "can_send_polls",
    "can_send_other_messages",
    "can_add_web_page_previews",
    "can_react_to_messages",
    "can_edit_tag",
    "can_change_info",
    "can_invite_users",
    "can_pin_messages",
    "can_manage_topics",
)
STATUSES = frozenset({"creator", "administrator", "member", "restricted", "left", "kicked"})
# What a fresh administrator of the simulation may do; promoting others is left out as in Telegram's own dialog.
USUAL_RIGHTS = frozenset(ADMIN_RIGHTS) - {"can_promote_members", "can_post_messages", "can_edit_messages"}


@dataclass(frozen=True)
class Member:
    """One account's standing; never changed, only replaced, so that old and new can be told apart."""

    account_id: int
    status: str = "left"
    rights: frozenset[str] = frozenset()
    permissions: Mapping[str, bool] = field(default_factory=dict)
    until: int = 0
    stays: bool = True  # a restricted account may be inside or outside
    title: str | None = None

    @property
    def present(self) -> bool:
        """True for those inside the chat."""
        return self.status in {"creator", "administrator", "member"} or (self.status == "restricted" and self.stays)

    @property
    def is_admin(self) -> bool:
        """Owners count."""
        return self.status in {"creator", "administrator"}

    def may(self, right: str) -> bool:
        """An owner may do everything, an administrator what was granted."""
        return self.status == "creator" or (self.status == "administrator" and right in self.rights)

    def as_json(self, user: Mapping[str, Any]) -> dict[str, Any]:
        """The ChatMember object of this status."""
        shape: dict[str, Any] = {"user": dict(user), "status": self.status}
        if self.status == "creator":
            shape["is_anonymous"] = False
        elif self.status == "administrator":
            shape |= {"can_be_edited": False, "is_anonymous": False}
            shape |= {right: right in self.rights for right in ADMIN_RIGHTS}
        elif self.status == "restricted":
            shape |= {"is_member": self.stays, "until_date": self.until}
            shape |= {name: bool(self.permissions.get(name)) for name in PERMISSIONS}
        elif self.status == "kicked":
            shape["until_date"] = self.until
        if self.title and self.is_admin:
            shape["custom_title"] = self.title
        return shape


def granted(values: Mapping[str, Any]) -> frozenset[str]:
    """The admin rights that are set to true."""
    return frozenset(right for right in ADMIN_RIGHTS if values.get(right) in (True, "true", "True", "1"))
