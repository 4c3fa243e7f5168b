"""A log with numbered entries that forgets its oldest ones."""

from __future__ import annotations

from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class BoundedLog(Generic[Entry]):
    """Keeps at least the newest `keep` entries; numbers start at 1 and never change."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.forgotten = 0
        self.entries: list[Entry] = []

    @property
    def last(self) -> int:
        """The number of the newest entry, 0 when nothing was ever written."""
        return self.forgotten + len(self.entries)

    def append(self, entry: Entry) -> int:
        """Adds an entry and returns its number."""
        self.entries.append(entry)
        # Trimming in bulk keeps appends cheap: a list forgets from its head in linear time.
        if len(self.entries) > self.keep + self.keep // 4 + 16:
            surplus = len(self.entries) - self.keep
            del self.entries[:surplus]
            self.forgotten += surplus
        return self.last

    def since(self, number: int) -> list[Entry]:
        """Entries numbered above `number` that are still remembered."""
        return self.entries[max(0, number - self.forgotten) :]

    def clear(self) -> None:
        """Forgets everything but the count, so that a number never names two entries."""
        self.forgotten = self.last
        self.entries = []
