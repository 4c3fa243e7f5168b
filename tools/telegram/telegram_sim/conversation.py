"""What all places for messages share: a private dialog and a group are told apart by their `kind`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from telegram_sim.bots import Bot
from telegram_sim.users import User

Message = dict[str, Any]


class Conversation(ABC):
    """Keeps the newest messages by id; a stored message is never changed in place, only replaced."""

    kind: str

    def __init__(self, chat_id: int, *, keep: int) -> None:
        self.id = chat_id
        self.keep = keep
        self.messages: dict[int, Message] = {}
        self.pinned: list[int] = []

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """The Bot API's Chat object."""

    @abstractmethod
    def next_message_id(self) -> int:
        """A fresh message id."""

    def store(self, message: Message) -> Message:
        """Adds or replaces a message and forgets the oldest beyond the bound."""
        self.messages[message["message_id"]] = message
        if len(self.messages) > self.keep:
            del self.messages[next(iter(self.messages))]
        return message


class Dialog(Conversation):
    """The private chat of one bot and one user."""

    kind = "private"

    def __init__(self, bot: Bot, user: User, *, keep: int) -> None:
        super().__init__(user.id, keep=keep)
        self.bot = bot
        self.user = user
        self.started = False
        self.blocked = False
        self.keyboard: list[list[str]] = []  # the reply keyboard, as texts
        self.notice = ""  # what answerCallbackQuery said last
        self.notice_at = 0.0
        self.writable_until = 0.0  # a join request opens the chat for five minutes (M2)

    def as_json(self) -> dict[str, Any]:
        """A private Chat carries the user's names."""
        user = self.user.as_json()
        names = {name: user[name] for name in ("first_name", "last_name", "username") if name in user}
        return {"id": self.id, "type": "private"} | names

    def next_message_id(self) -> int:
        """From the bot's own sequence."""
        return self.bot.next_message_id()
