"""Bots: an account with a token, a queue of updates and perhaps a webhook."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from telegram_sim.update_queue import UpdateQueue
from telegram_sim.webhook import Webhook

TOKEN = re.compile(r"(?P<bot_id>[0-9]{1,15}):[A-Za-z0-9_-]{35,}")


def bot_id_of(token: str) -> int | None:
    """The id a token begins with, None when it is no token."""
    match = TOKEN.fullmatch(token)
    return int(match["bot_id"]) if match else None


@dataclass
class Bot:
    """One bot; `read_all` is privacy mode switched off (U2)."""

    id: int
    token: str
    username: str
    first_name: str
    updates: UpdateQueue
    read_all: bool = False
    last_private_message_id: int = 0
    webhook: Webhook | None = None
    webhook_set_at: float = float("-inf")  # steady seconds
    commands: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def next_message_id(self) -> int:
        """Private chats of one account share one sequence of message ids."""
        self.last_private_message_id += 1
        return self.last_private_message_id

    def as_user(self) -> dict[str, Any]:
        """The User object others see."""
        return {"id": self.id, "is_bot": True, "first_name": self.first_name, "username": self.username}

    def as_me(self) -> dict[str, Any]:
        """The User object of getMe, with the fields only getMe returns."""
        return self.as_user() | {
            "can_join_groups": True,
            "can_read_all_group_messages": self.read_all,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
            "has_topics_enabled": False,
            "allows_users_to_create_topics": False,
            "can_manage_bots": False,
            "supports_join_request_queries": False,
        }

    def webhook_info(self) -> dict[str, Any]:
        """The Bot API's WebhookInfo (W12)."""
        info: dict[str, Any] = {"url": "", "has_custom_certificate": False}
        if self.webhook:
            info = self.webhook.info()
        info["pending_update_count"] = len(self.updates.pending)
        if self.updates.allowed:
            info["allowed_updates"] = sorted(self.updates.allowed)
        return info

    def as_admin(self) -> dict[str, Any]:
        """What the admin API tells of a bot."""
        return {"id": self.id, "token": self.token, "username": self.username, "first_name": self.first_name}
