"""Entities nobody marked: commands, mentions, hashtags, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable

from telegram_sim.markup.builder import Entity, utf16_length

PATTERNS = (
    (
        "url",
        re.compile(
            r"(?:https?://[^\s<>\"]+|(?<![\w@.])(?:[\w-]+\.)+(?:com|org|net|io|me|dev|app|info)\b(?:/[^\s<>\"]*)?)"
        ),
    ),
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("bot_command", re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")),
    ("mention", re.compile(r"(?<!\w)@[A-Za-z]\w{3,31}(?!\w)", re.ASCII)),
    ("hashtag", re.compile(r"(?<!\w)#\w*[^\W\d_]\w*")),
)
MAY_CONTAIN = re.compile(r"[/@#.]")


def detect_entities(text: str, taken: Iterable[Entity] = ()) -> list[Entity]:
    """What Telegram finds by itself, outside of code and links and never twice in one place."""
    if not MAY_CONTAIN.search(text):
        return []
    blocked = [
        (entity["offset"], entity["offset"] + entity["length"])
        for entity in taken
        if entity["type"] in {"code", "pre", "text_link", "text_mention"}
    ]
    found: list[Entity] = []
    for kind, pattern in PATTERNS:
        for match in pattern.finditer(text):
            start = utf16_length(text[: match.start()])
            end = start + utf16_length(match[0])
            if all(end <= low or high <= start for low, high in blocked):
                blocked.append((start, end))
                found.append({"type": kind, "offset": start, "length": end - start})
    return found
