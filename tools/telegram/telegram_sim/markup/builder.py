"""Text under construction with its entities."""

from __future__ import annotations

from typing import Any

Entity = dict[str, Any]


def utf16_length(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def byte_offset(text: str, index: int) -> int:
    """A Python index as the byte offset that Telegram's messages speak of."""
    return len(text[:index].encode("utf-8", "surrogatepass"))


class TextBuilder:
    """Collects plain text and knows its length in UTF-16 units."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.entities: list[Entity] = []

    def add(self, text: str) -> None:
        """Appends plain text."""
        self.parts.append(text)
        self.length += utf16_length(text)

    def text_since(self, part: int) -> str:
        """What was appended after the first `part` pieces."""
        return "".join(self.parts[part:])

    def mark(self, entity: Entity | None, start: int) -> None:
        """Adds an entity from `start` to here; empty ones vanish, as in Telegram."""
        if entity is not None and self.length > start:
            self.entities.append({"type": entity["type"], "offset": start, "length": self.length - start} | entity)

    def finish(self) -> tuple[str, list[Entity]]:
        """The text and its entities."""
        return "".join(self.parts), self.entities
