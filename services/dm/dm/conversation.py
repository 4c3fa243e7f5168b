"""One update's view of its dialogue: what handlers change here is saved in the update's own transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from common.ids import ChatId
from common.records import Dialogue, DialogueStatus
from common.store import feedback
from common.store.pool import Tx

from dm.texts import Texts

_WINDOW = timedelta(minutes=1)


class Conversation:
    """Loaded under the dialogue's lock; `dialogue` is what is to be saved."""

    def __init__(self, tx: Tx, dialogue: Dialogue, texts: Texts, *, client_language: str | None) -> None:
        self._tx = tx
        self._texts = texts
        self._client_language = client_language
        self.dialogue = dialogue

    @property
    def chat_id(self) -> ChatId:
        """A private chat has its user's id (Bot API, Chat)."""
        return ChatId(self.dialogue.user_id)

    @property
    def language(self) -> str:
        """The chosen one, else the client's where we speak it, else English."""
        return self._texts.best(self.dialogue.language, self._client_language)

    @property
    def languages(self) -> dict[str, str]:
        """Those that can be chosen: code to its own name."""
        return self._texts.names

    def say(self, key: str, /, **values: object) -> str:
        """A sentence of the catalogue in the user's language; values are escaped for HTML."""
        return self._texts.say(self.language, key, **values)

    def change(self, **fields: Any) -> None:
        """As dataclasses.replace."""
        self.dialogue = replace(self.dialogue, **fields)

    def set_status(self, status: DialogueStatus) -> None:
        """Whether the bot may write unasked."""
        self.change(status=status)

    def count_command(self) -> int:
        """How many commands this user sent in the running minute, this one included; by the database's clock."""
        now = self.dialogue.seen_at
        if now - self.dialogue.window_start >= _WINDOW:
            self.change(window_start=now, window_count=0)
        self.change(window_count=self.dialogue.window_count + 1)
        return self.dialogue.window_count

    async def keep_feedback(self, topic: str, text: str) -> None:
        """Committed with the update's mark."""
        await feedback.add(self._tx, self.dialogue.bot_id, self.dialogue.user_id, topic, text)
