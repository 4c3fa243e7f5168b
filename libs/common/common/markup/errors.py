"""What a text's markup breaks."""

from __future__ import annotations


class MarkupError(ValueError):
    """`at` counts characters from 0 in the text with its variables filled by one letter each."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(f"{what} (character {at})")
        self.at = at
