"""aiogram's FSM storage on the conversation of the running update: its state is saved with the update's mark or not
at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiogram.fsm.state import State
from aiogram.fsm.storage.base import BaseStorage, StateType, StorageKey

from dm.conversation import Conversation


class DialogueStorage(BaseStorage):
    """Made for one update: the key that aiogram passes is that update's user."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        """Named by the state's string, which a release must not change while users are in it."""
        self._conversation.change(state=state.state if isinstance(state, State) else state)

    async def get_state(self, key: StorageKey) -> str | None:
        """None outside a conversation of several steps."""
        return self._conversation.dialogue.state

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:
        """JSON values only."""
        self._conversation.change(data=dict(data))

    async def get_data(self, key: StorageKey) -> dict[str, Any]:
        """A copy."""
        return dict(self._conversation.dialogue.data)

    async def close(self) -> None:
        """Nothing is held."""
