"""Text of strangers, harmless on a terminal: a group's title may hold anything, also what moves the cursor."""

from __future__ import annotations

import unicodedata
from typing import Final

# They turn the reading direction, and with it what a line seems to say.
_TURNING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSHOWN: Final = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})


def clean(text: object, *, lines: bool = False) -> str:
    """Control characters as their escapes, turning ones left out; `lines` keeps line ends."""
    return "".join(_shown(character, lines=lines) for character in str(text))


def _shown(character: str, *, lines: bool) -> str:
    if character in _TURNING:
        return ""
    if lines and character == "\n":
        return character
    if unicodedata.category(character) in _UNSHOWN:
        return character.encode("unicode_escape").decode("ascii")
    return character
