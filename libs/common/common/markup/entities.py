"""What Telegram keeps of a marked-up text: plain text and MessageEntity objects, counted in UTF-16 units."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_USER = re.compile(r"tg://user\?id=([1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Entity:
    """Bot API, MessageEntity; `extra` holds the fields that only some types have."""

    type: str
    offset: int
    length: int
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The first unit behind it."""
        return self.offset + self.length

    def as_json(self) -> dict[str, Any]:
        """As the Bot API takes it."""
        return {"type": self.type, "offset": self.offset, "length": self.length, **self.extra}


@dataclass(frozen=True, slots=True)
class Marked:
    """A text without its marks; entities by offset, the longer first."""

    text: str
    entities: tuple[Entity, ...] = ()


class Builder:
    """A text under construction; `length` is where the next piece will stand."""

    def __init__(self) -> None:
        self.length = 0
        self._parts: list[str] = []
        self._entities: list[Entity] = []

    def add(self, text: str) -> None:
        """Plain text."""
        self._parts.append(text)
        self.length += length(text)

    def mark(self, kind: str, start: int, extra: dict[str, Any] | None = None) -> None:
        """An entity from `start` to here; an empty one is none."""
        if self.length > start:
            self._entities.append(Entity(kind, start, self.length - start, extra or {}))

    def finish(self) -> Marked:
        """All of it."""
        entities = sorted(self._entities, key=lambda entity: (entity.offset, -entity.length))
        return Marked("".join(self._parts), tuple(entities))


def length(text: str) -> int:
    """In UTF-16 units, as Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def link(url: str) -> tuple[str, dict[str, Any]]:
    """(type, extra): an address of a user is a mention."""
    found = _USER.fullmatch(url)
    return ("text_mention", {"user": {"id": int(found[1])}}) if found else ("text_link", {"url": url})
