"""A long text → messages that Telegram takes: cut between paragraphs, else lines, else words, else letters. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate

import regex
from common.markup.entities import Entity, Marked
from common.markup.parse import MOST_ENTITIES, TEXT_LIMIT

# Behind each of these a text may be cut, the first kind before the others; what is white there ends the earlier
# message, where Telegram trims it, and the next one keeps its indentation.
_BREAKS = (re.compile(r"\n(?:[ \t\r]*\n)+"), re.compile(r"\n"), re.compile(r"[^\S\u00a0\u202f]+"))
_LETTER = regex.compile(r"\X")  # UAX #29: what readers take for one letter
_BEYOND = 100  # characters that are looked at behind a window, for a letter that begins in it


class _Emoji:
    """Custom ones, which are of one piece: looked up, for a text may have hundreds of them."""

    def __init__(self, entities: Iterable[Entity]) -> None:
        places = sorted((e.offset, e.end) for e in entities if e.type == "custom_emoji")
        self._begins = [begins for begins, _ in places]
        self._ends = list(accumulate((ends for _, ends in places), max))

    def free(self, unit: int) -> bool:
        """Whether a text may be cut there."""
        before = bisect_left(self._begins, unit)
        return before == 0 or self._ends[before - 1] <= unit


def split(marked: Marked, limit: int = TEXT_LIMIT, most_entities: int = MOST_ENTITIES) -> list[Marked]:
    """Joined, the texts are the text; an entity that is cut goes on in the next. Only the last may be less than half
    full, of text or of entities.
    """
    return [_piece(marked, places) for places in _windows(marked, limit, most_entities)]


def _windows(marked: Marked, limit: int, most_entities: int) -> Iterator[tuple[int, int, int, int]]:
    """(from, to) in characters, and the same in UTF-16 units."""
    text = marked.text
    units = [0, *accumulate(2 if letter > "\uffff" else 1 for letter in text)]
    emoji = _Emoji(marked.entities)
    start = 0
    while start < len(text):
        fewest, most = _room(marked.entities, units[start], units[start] + limit, most_entities)
        end = max(start + 1, bisect_right(units, most) - 1)
        if end < len(text):
            least = bisect_left(units, max(fewest, (units[start] + units[end]) // 2), lo=start + 1)
            end = _cut(text, start, end, least, [cut for cut in _letters(text, start, end) if emoji.free(units[cut])])
        yield start, end, units[start], units[end]
        start = end


def _room(entities: Iterable[Entity], begins: int, most: int, most_entities: int) -> tuple[int, int]:
    """Where the message must end for its entities to be few enough, and before that where half of them are in it;
    `most` where they are few, or can't be.
    """
    starts = [e.offset for e in entities if e.end > begins and e.offset < most]
    if len(starts) <= most_entities or starts[most_entities] <= begins:
        return begins, most
    return starts[most_entities // 2], starts[most_entities]


def _letters(text: str, start: int, end: int) -> list[int]:
    """The places between letters, up to `end`."""
    found = _LETTER.finditer(text, start, min(len(text), end + _BEYOND))
    return [place for match in found if (place := match.end()) <= end]


def _cut(text: str, start: int, end: int, least: int, allowed: list[int]) -> int:
    """The last good place in the second half of the window."""
    for pattern in _BREAKS:
        places = {match.end() for match in pattern.finditer(text, start, end)}
        good = [place for place in allowed if place >= least and place in places]
        if good:
            return good[-1]
    return allowed[-1] if allowed else end  # a letter longer than a message


def _piece(marked: Marked, places: tuple[int, int, int, int]) -> Marked:
    start, end, begins, ends = places
    entities = [
        replace(e, offset=max(e.offset, begins) - begins, length=min(e.end, ends) - max(e.offset, begins))
        for e in marked.entities
        if e.end > begins and e.offset < ends
    ]
    entities.sort(key=lambda entity: (entity.offset, -entity.length))
    return Marked(marked.text[start:end], tuple(entities))
