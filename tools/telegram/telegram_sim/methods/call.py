"""One method call as its function sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from telegram_sim.bots import Bot
from telegram_sim.conversation import Conversation
from telegram_sim.errors import bad_request, forbidden
from telegram_sim.groups import Group
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
        raw = self.params.text(name).strip()
        if not raw:
            raise bad_request(f"{name} is empty")
        found = find_place(self.world, self.bot, raw)
        if found is None:
            raise bad_request("chat not found")
        return found

    def group(self, name: str = "chat_id") -> Group:
        """A chat with members; private chats have none of these methods."""
        place = self.place(name)
        if not isinstance(place, Group):
            raise bad_request("method is available for group, supergroup and channel chats only")
        return place

    def user_id(self) -> int:
        """The account a parameter names, which must exist."""
        user_id = self.params.integer("user_id")
        if user_id <= 0:
            raise bad_request("invalid user_id specified")
        if user_id not in self.world.users and user_id not in self.world.bots:
            raise bad_request("user not found")
        return user_id


def find_place(world: World, bot: Bot, raw: str) -> Conversation | None:
    """A chat by number or @username."""
    if raw.startswith("@"):
        return world.place_named(raw)
    number = chat_number(raw)
    if number in world.bots:
        raise forbidden("bot can't send messages to bots" if number != bot.id else "bot can't send messages to itself")
    return world.place(bot, number)


def chat_number(raw: str) -> int:
    """A numeric chat id, 0 for what cannot be one."""
    try:
        return int(raw)
    except ValueError:
        return 0


Handler = Callable[[Call], Any | Awaitable[Any]]
