"""The Bot API calls that one delivery needs: one, or several for a text that is longer than a message. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

from common.markup.entities import Marked, length
from common.markup.errors import MarkupError
from common.markup.parse import CAPTION_LIMIT, MOST_PARTS, TEXT_LIMIT, ParseMode, parse
from common.records import Begun

from sender.rules.render import render
from sender.rules.split import split

Call: TypeAlias = tuple[str, dict[str, Any]]  # method, parameters
NOTHING_LEFT = "nothing is left of the text with this group's variables"
_REMEMBERED = 32  # texts in their pieces, a megabyte at most each
CHANGED = "its text was changed after the first part was sent"


class UnsendableError(ValueError):
    """What this group's values made of the message can't be sent; the reason is fit for a ledger."""


def calls(content: dict[str, Any], delivery: Begun) -> list[Call]:
    """In order. Buttons are under the last part, the chosen preview is in the first, and only the first one rings.

    UnsendableError for what the door could not see, for it knows no values: no reason to stop the other groups.
    """
    method, params = render(content, delivery)
    if method != "sendMessage":
        for item in (params, *(params["media"] if method == "sendMediaGroup" else ())):
            _check_caption(item)
        return [(method, params)]
    if "{{" not in content["params"]["text"] and length(params["text"]) <= TEXT_LIMIT:  # markup only adds to it
        return [(method, params)]
    pieces = _pieces(params["text"], params.get("parse_mode"))
    if pieces is None:
        return [(method, params)]
    if len(pieces) > MOST_PARTS:
        raise UnsendableError(f"longer than {MOST_PARTS} messages with this group's variables")
    last = len(pieces) - 1
    return [
        (method, _options(params, first=place == 0, last=place == last) | _text(piece.text, piece.entities))
        for place, piece in enumerate(pieces)
    ]


@lru_cache(_REMEMBERED)
def _pieces(text: str, parse_mode: ParseMode | None) -> tuple[Marked, ...] | None:
    """None of what is one message. Remembered: each part of each group asks, and most groups have the same text."""
    marked = _read(text, parse_mode)
    if not marked.text.strip():
        raise UnsendableError(NOTHING_LEFT)
    if length(marked.text) <= TEXT_LIMIT:
        return None
    return tuple(piece for piece in split(marked) if piece.text.strip())


def check(params: dict[str, Any]) -> None:
    """Of an edit, with the group's values in it: UnsendableError for what the door could not see."""
    if "text" in params:
        marked = _read(params["text"], params.get("parse_mode"))
        if not marked.text.strip():
            raise UnsendableError(NOTHING_LEFT)
        if length(marked.text) > TEXT_LIMIT:
            raise UnsendableError("longer than one message with this group's variables")
    elif params.get("caption"):
        _read(params["caption"], params.get("parse_mode"))
        _check_caption(params)


def _check_caption(item: dict[str, Any]) -> None:
    caption = item.get("caption") or ""
    if length(caption) > CAPTION_LIMIT and length(_read(caption, item.get("parse_mode")).text) > CAPTION_LIMIT:
        raise UnsendableError(f"a caption is longer than {CAPTION_LIMIT} UTF-16 units with this group's variables")


def _read(text: str, parse_mode: ParseMode | None) -> Marked:
    try:
        return parse(text, parse_mode)
    except MarkupError:  # of a value: the template was checked, and the error might quote either
        raise UnsendableError("a variable's value breaks the markup") from None


def _text(text: str, entities: Any) -> dict[str, Any]:
    return {"text": text} | ({"entities": [entity.as_json() for entity in entities]} if entities else {})


def _options(params: dict[str, Any], *, first: bool, last: bool) -> dict[str, Any]:
    options = {name: value for name, value in params.items() if name not in {"text", "parse_mode"}}
    if not last:
        options.pop("reply_markup", None)
    if not first:
        options["disable_notification"] = True
        if (options.get("link_preview_options") or {}).get("url"):
            options["link_preview_options"] = {"is_disabled": True}
    return options
