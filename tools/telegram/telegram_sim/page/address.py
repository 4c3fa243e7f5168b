"""Which bot, user and chat the page shows: the whole state of the page is in its address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from urllib.parse import urlencode

from telegram_sim.conversation import Conversation
from telegram_sim.world import World


@dataclass(frozen=True)
class Address:
    """None where there is nothing to choose from yet."""

    bot_id: int | None = None
    user_id: int | None = None
    chat_id: int | None = None

    def fields(self) -> dict[str, int]:
        """As query parameters."""
        named = {"bot": self.bot_id, "user": self.user_id, "chat": self.chat_id}
        return {name: number for name, number in named.items() if number is not None}

    def link(self, **changes: int | None) -> str:
        """The page with another choice."""
        return f"/?{urlencode(replace(self, **changes).fields())}"

    def hidden(self) -> str:
        """As hidden fields of a form."""
        return "".join(
            f'<input type="hidden" name="{name}" value="{escape(str(number))}">'
            for name, number in self.fields().items()
        )

    def place(self, world: World) -> Conversation | None:
        """The chat it points to."""
        if self.chat_id is not None:
            return world.groups.get(self.chat_id)
        if self.bot_id is None or self.user_id is None:
            return None
        return world.dialog(world.bots[self.bot_id], world.users[self.user_id])


def read_address(values: Mapping[str, object], world: World) -> Address:
    """What was asked for, where it exists; else the first there is."""
    bot_id, user_id, chat_id = (number(values.get(name)) for name in ("bot", "user", "chat"))
    return Address(
        bot_id if bot_id in world.bots else next(iter(world.bots), None),
        user_id if user_id in world.users else next(iter(world.users), None),
        chat_id if chat_id in world.groups else None,
    )


def number(value: object) -> int | None:
    """An integer or None."""
    try:
        return int(str(value))
    except ValueError:
        return None
