"""Updates as Telegram writes them, as small as they can be, for whoever tests the door."""

from __future__ import annotations

from typing import Any, Final

Update = dict[str, Any]

USER: Final = {"id": 42, "is_bot": False, "first_name": "Ada"}
PRIVATE: Final = {"id": 42, "type": "private", "first_name": "Ada"}
GROUP: Final = {"id": -1001, "type": "supergroup", "title": "Engines"}
CHANNEL: Final = {"id": -1002, "type": "channel", "title": "News"}
_COMMAND: Final = [{"type": "bot_command", "offset": 0, "length": 5}]


def update(kind: str, payload: object, update_id: int = 7) -> Update:
    """One update of that kind."""
    return {"update_id": update_id, kind: payload}


def message(chat: dict[str, Any] = PRIVATE, **fields: Any) -> dict[str, Any]:
    """A message without content; `fields` say what it holds."""
    return {"message_id": 1, "date": 1767225600, "chat": chat, "from": USER, **fields}


def private_text(text: str = "hello", update_id: int = 7) -> Update:
    """What most tests send."""
    return update("message", message(text=text), update_id)


def group_command(text: str = "/init") -> Update:
    """A command at the beginning of a group's message."""
    return update("message", message(GROUP, text=text, entities=_COMMAND))


def membership(chat: dict[str, Any]) -> dict[str, Any]:
    """A ChatMemberUpdated, whoever it is about."""
    return {
        "chat": chat,
        "from": USER,
        "date": 1767225600,
        "old_chat_member": {"user": USER, "status": "left"},
        "new_chat_member": {"user": USER, "status": "member"},
    }


def press(chat: dict[str, Any] | None) -> dict[str, Any]:
    """A CallbackQuery; None for a button of an inline message."""
    query = {"id": "1", "from": USER, "chat_instance": "1", "data": "x"}
    return query if chat is None else {**query, "message": message(chat, text="press")}
