"""One method call as its function sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from telegram_sim.bots import Bot
from telegram_sim.conversation import Conversation
from telegram_sim.errors import bad_request
from telegram_sim.params import Params
from telegram_sim.post_office import PostOffice
from telegram_sim.world import World


@dataclass(frozen=True)
class Call:
    """Who calls what with which parameters."""

    world: World
    office: PostOffice
    bot: Bot
    method: str
    params: Params

    def place(self, name: str = "chat_id") -> Conversation:
        """The chat a parameter names, or the 400 Telegram answers."""
        raw = self.params.text(name)
        if not raw:
            raise bad_request(f"{name} is empty")
        found = self.world.place(self.bot, chat_number(raw))
        if found is None:
            raise bad_request("chat not found")
        return found


def chat_number(raw: str) -> int:
    """A numeric chat id, 0 for what cannot be one."""
    try:
        return int(raw)
    except ValueError:
        return 0


Handler = Callable[[Call], Any | Awaitable[Any]]
