"""A text in any of the parse modes → what readers see, and its entities."""

from __future__ import annotations

from typing import Literal

from common.markup import html, markdown_v2
from common.markup.entities import Marked

ParseMode = Literal["HTML", "MarkdownV2"]
TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024  # UTF-16 units after the markup is taken out (Bot API)
MOST_ENTITIES = 100  # of one message; Telegram drops what comes after them
MOST_PARTS = 20  # messages that one long text may become: a group takes no more in a minute


def parse(text: str, parse_mode: ParseMode | None, *, stand_in: str = "") -> Marked:
    """MarkupError says what is wrong and where; `stand_in` is a letter for variables, which tags may not hold."""
    match parse_mode:
        case "HTML":
            return html.parse(text, stand_in)
        case "MarkdownV2":
            return markdown_v2.parse(text)
        case None:
            return Marked(text)
