"""Whether Telegram will understand a text, and how long it is there: checked before anything is accepted.

Stricter than Telegram where it guesses: what passes here is understood there (a test asks the simulator's parsers).
"""

from __future__ import annotations

import re
from typing import Any, Final

from common.markup.entities import Marked, length
from common.markup.errors import MarkupError
from common.markup.parse import MOST_ENTITIES, TEXT_LIMIT, ParseMode, parse

__all__ = ["ALWAYS", "ParseMode", "length", "longest", "most_parts", "read", "variables", "visible"]

VARIABLE = re.compile(r"\{\{\s*([a-z_][a-z0-9_]{0,31})\s*\}\}")  # as the sender fills them
STAND_IN = "\ue000"  # a letter that nobody writes stands for a variable's value while the text is checked
ALWAYS: Final = frozenset({"title"})  # every group has it
_FILLED: Final = ("text", "caption")
_LONGEST_TITLE, _LONGEST_VALUE = 255, 1024  # characters, as groups keep them
_FEWEST = MOST_ENTITIES * 2 // 5  # entities of a message that is full of them: half, less those that only go on in it
_UNITS: Final = 2  # that one character may need


def read(text: str, parse_mode: ParseMode | None) -> Marked:
    """What readers see, each variable as one letter; MarkupError says what is wrong and where."""
    if STAND_IN in text:
        raise MarkupError("the character U+E000 can't be used", 0)
    filled = VARIABLE.sub(STAND_IN, text)
    stray = filled.find("{{")
    if stray >= 0:
        raise MarkupError("{{ begins a variable: {{name}} with small letters, digits and _", stray)
    return parse(filled, parse_mode, stand_in=STAND_IN)


def visible(text: str, parse_mode: ParseMode | None) -> str:
    """Its text alone."""
    return read(text, parse_mode).text


def variables(params: dict[str, Any]) -> list[str]:
    """The names that a call's texts, also of an album's items, leave to the groups' own variables; sorted."""
    items = params.get("media")
    places = [params, *(items if isinstance(items, list) else ())]
    texts = [place[name] for place in places for name in _FILLED if isinstance(place.get(name), str)]
    return sorted({name for text in texts for name in VARIABLE.findall(text)} - ALWAYS)


def longest(text: str, marked: Marked) -> int:
    """UTF-16 units of `text`, read as `marked`, where every variable has its longest value."""
    names = VARIABLE.findall(text)
    values = sum(_LONGEST_TITLE if name == "title" else _LONGEST_VALUE for name in names)
    return length(marked.text) - len(names) + values * _UNITS


def parts(text: str, parse_mode: ParseMode | None) -> int:
    """Messages that a text becomes without what variables add, or about as many: where it is cut is not looked at."""
    units = length(text)
    if units <= TEXT_LIMIT:
        return 1
    try:
        marked = read(text, parse_mode)
    except MarkupError:  # that is for the sender to say
        return -(-units // TEXT_LIMIT)
    units = length(marked.text)
    return 1 if units <= TEXT_LIMIT else max(-(-units // TEXT_LIMIT), -(-len(marked.entities) // MOST_ENTITIES))


def most_parts(units: int, entities: int) -> int:
    """Messages that a text of this length may become: each but the last is at least half full, of text or entities."""
    if units <= TEXT_LIMIT:
        return 1
    return max(1, -(-units // (TEXT_LIMIT // 2))) + entities // _FEWEST
