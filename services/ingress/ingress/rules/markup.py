"""Whether Telegram will understand a text, and how long it is there: checked before anything is accepted.

Stricter than Telegram where it guesses: what passes here is understood there (a test asks the simulator's parsers).
"""

from __future__ import annotations

import re
from typing import Literal

from ingress.rules import html, markdown_v2
from ingress.rules.markup_error import MarkupError

ParseMode = Literal["HTML", "MarkdownV2"]
VARIABLE = re.compile(r"\{\{\s*[a-z_][a-z0-9_]{0,31}\s*\}\}")  # as the sender fills them
STAND_IN = "\ue000"  # a letter that nobody writes stands for a variable's value while the text is checked


def visible(text: str, parse_mode: ParseMode | None) -> str:
    """What readers see, each variable as one letter; MarkupError says what is wrong and where."""
    if STAND_IN in text:
        raise MarkupError("the character U+E000 can't be used", 0)
    filled = VARIABLE.sub(STAND_IN, text)
    stray = filled.find("{{")
    if stray >= 0:
        raise MarkupError("{{ begins a variable: {{name}} with small letters, digits and _", stray)
    match parse_mode:
        case "HTML":
            return html.visible(filled, STAND_IN)
        case "MarkdownV2":
            return markdown_v2.visible(filled)
        case None:
            return filled


def length(text: str) -> int:
    """In UTF-16 units, as Telegram counts."""
    return len(text.encode("utf-16-le")) // 2
