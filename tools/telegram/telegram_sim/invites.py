"""Invite links and the requests that come through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class InviteLink:
    """A link belongs to the administrator who made it (M8)."""

    url: str
    creator_id: int
    name: str = ""
    expire_date: int = 0
    member_limit: int = 0
    creates_join_request: bool = False
    is_primary: bool = False
    is_revoked: bool = False
    joined: int = 0
    pending: int = 0

    def as_json(self, creator: dict[str, Any], *, viewer_id: int) -> dict[str, Any]:
        """ChatInviteLink; others than the creator see the address cut short (M8)."""
        url = self.url if viewer_id == self.creator_id else f"{self.url[: len(self.url) // 2]}..."
        shape: dict[str, Any] = {
            "invite_link": url,
            "creator": creator,
            "creates_join_request": self.creates_join_request,
            "is_primary": self.is_primary,
            "is_revoked": self.is_revoked,
        }
        optional = {"name": self.name, "expire_date": self.expire_date, "member_limit": self.member_limit}
        shape |= {name: value for name, value in optional.items() if value}
        if self.pending:
            shape["pending_join_request_count"] = self.pending
        return shape

    def usable(self, *, now: float) -> bool:
        """True while it lets anyone in."""
        full = bool(self.member_limit) and self.joined >= self.member_limit
        return not self.is_revoked and not full and not (self.expire_date and self.expire_date <= now)


@dataclass(frozen=True)
class JoinRequest:
    """Someone waits to be let in."""

    user_id: int
    date: int
    link: InviteLink | None = None
    bio: str | None = None
