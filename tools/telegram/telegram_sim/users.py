"""People of the simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class User:
    """One account; `deactivated` is what Telegram calls a deleted one."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None
    deactivated: bool = False

    def as_json(self) -> dict[str, Any]:
        """The Bot API's User object."""
        fields: dict[str, Any] = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        optional = {"last_name": self.last_name, "username": self.username, "language_code": self.language_code}
        return fields | {name: value for name, value in optional.items() if value}
