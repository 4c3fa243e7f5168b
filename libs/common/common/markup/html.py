"""Telegram's HTML (Bot API, "HTML style"), read strictly: every tag known, closed by its own name, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from common.markup.entities import Builder, Entity, Marked, link
from common.markup.errors import MarkupError

_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[a-zA-Z-]+)(?P<attributes>(?:\s+[a-zA-Z-]+(?:\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))?)*)\s*>"
)
_ATTRIBUTE = re.compile(r"([a-zA-Z-]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'))?")
_REFERENCE = re.compile(r"&(?:(?P<name>lt|gt|amp|quot)|#(?P<decimal>[0-9]{1,7})|#x(?P<hex>[0-9a-fA-F]{1,6}));|&")
_NAMED: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_SIMPLE: Final = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "pre": "pre",
}
_ALLOWED: Final[dict[str, frozenset[str]]] = {
    "a": frozenset({"href"}),
    "code": frozenset({"class"}),
    "span": frozenset({"class"}),
    "blockquote": frozenset({"expandable"}),
    "tg-emoji": frozenset({"emoji-id"}),
} | dict.fromkeys(_SIMPLE, frozenset())


@dataclass(frozen=True, slots=True)
class _Tag:
    """An open one: its place in the source and in the text."""

    name: str
    at: int
    start: int
    attributes: dict[str, str]


def parse(text: str, stand_in: str = "") -> Marked:
    """MarkupError for whatever Telegram might refuse; `stand_in` is a letter that may not be inside tags."""
    out, opened, at = Builder(), list[_Tag](), 0
    while at < len(text):
        if text[at] == "<":
            at = _tag(text, at, opened, out, stand_in)
            continue
        stop = text.find("<", at)
        stop = len(text) if stop < 0 else stop
        out.add(_plain(text[at:stop], at))
        at = stop
    if opened:
        raise MarkupError(f"<{opened[-1].name}> is not closed", opened[-1].at)
    return _languages(out.finish())


def _tag(text: str, at: int, opened: list[_Tag], out: Builder, stand_in: str) -> int:
    found = _TAG.match(text, at)
    if found is None:
        raise MarkupError("< begins a tag that can't be read; write &lt; for the character", at)
    name = found["name"].lower()
    if name not in _ALLOWED:
        raise MarkupError("Telegram does not know this tag", at)
    if stand_in and stand_in in found[0]:
        raise MarkupError("a variable can't stand inside a tag", at)
    if not found["close"]:
        opened.append(_Tag(name, at, out.length, _attributes(name, found["attributes"], at)))
    elif found["attributes"] or not opened or opened[-1].name != name:
        raise MarkupError(f"</{name}> closes nothing that is open here", at)
    else:
        tag = opened.pop()
        kind, extra = _entity(tag)
        out.mark(kind, tag.start, extra)
    return found.end()


def _attributes(name: str, text: str, at: int) -> dict[str, str]:
    found = {key.lower(): _plain(double or single, at) for key, double, single in _ATTRIBUTE.findall(text)}
    if not found.keys() <= _ALLOWED[name]:
        raise MarkupError(f"<{name}> has no such attribute", at)
    wrong = (
        (name == "a" and not found.get("href"))
        or (name == "span" and found.get("class") != "tg-spoiler")
        or (name == "code" and not found.get("class", "language-").startswith("language-"))
        or (name == "tg-emoji" and not re.fullmatch(r"[1-9][0-9]{0,18}", found.get("emoji-id", "")))
    )
    if wrong:
        raise MarkupError(f"<{name}> lacks what it needs, or has it wrong", at)
    return found


def _entity(tag: _Tag) -> tuple[str, dict[str, Any]]:
    match tag.name:
        case "a":
            return link(tag.attributes["href"])
        case "span":
            return "spoiler", {}
        case "blockquote":
            return "expandable_blockquote" if "expandable" in tag.attributes else "blockquote", {}
        case "tg-emoji":
            return "custom_emoji", {"custom_emoji_id": tag.attributes["emoji-id"]}
        case "code":
            language = tag.attributes.get("class", "").removeprefix("language-")
            return "code", {"language": language} if language else {}
        case _:
            return _SIMPLE[tag.name], {}


def _languages(marked: Marked) -> Marked:
    """A code element that fills a pre element gives it its language and goes; other code has no language."""
    told = {(e.offset, e.length): e.extra for e in marked.entities if e.type == "code" and e.extra}
    blocks = {(e.offset, e.length) for e in marked.entities if e.type == "pre"}
    kept: list[Entity] = []
    for entity in marked.entities:
        place = (entity.offset, entity.length)
        if entity.type == "pre" and place in told:
            kept.append(replace(entity, extra=told[place]))
        elif entity.type != "code":
            kept.append(entity)
        elif not (place in told and place in blocks):
            kept.append(replace(entity, extra={}))
    return Marked(marked.text, tuple(kept))


def _plain(text: str, at: int) -> str:
    """With its references decoded; an ampersand that begins none is written &amp;."""

    def decoded(found: re.Match[str]) -> str:
        if found["name"]:
            return _NAMED[found["name"]]
        if not found["decimal"] and not found["hex"]:
            raise MarkupError("& begins no reference that Telegram knows; write &amp;", at + found.start())
        number = int(found["decimal"]) if found["decimal"] else int(found["hex"], 16)
        if not 0 < number < 0x110000 or 0xD800 <= number < 0xE000:
            raise MarkupError("a reference to no character", at + found.start())
        return chr(number)

    return _REFERENCE.sub(decoded, text)
