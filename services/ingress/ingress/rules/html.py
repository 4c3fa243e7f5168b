"""Telegram's HTML (Bot API, "HTML style"), read strictly: every tag known, closed by its own name, in order."""

from __future__ import annotations

import html
import re
from typing import Final

from ingress.rules.markup_error import MarkupError

_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[a-zA-Z-]+)(?P<attributes>(?:\s+[a-zA-Z-]+(?:\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))?)*)\s*>"
)
_ATTRIBUTE = re.compile(r"([a-zA-Z-]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'))?")
_REFERENCE = re.compile(r"&(?:lt|gt|amp|quot|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});")
_NO_ATTRIBUTES: Final = frozenset({"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "tg-spoiler", "pre"})
_ALLOWED: Final[dict[str, frozenset[str]]] = {
    "a": frozenset({"href"}),
    "code": frozenset({"class"}),
    "span": frozenset({"class"}),
    "blockquote": frozenset({"expandable"}),
    "tg-emoji": frozenset({"emoji-id"}),
} | dict.fromkeys(_NO_ATTRIBUTES, frozenset())


def visible(text: str, variable: str) -> str:
    """The text without its tags; MarkupError for whatever Telegram might refuse. Variables stand outside tags."""
    parts: list[str] = []
    opened: list[tuple[str, int]] = []
    at = 0
    while at < len(text):
        if text[at] == "<":
            at = _tag(text, at, opened, variable)
            continue
        stop = text.find("<", at)
        stop = len(text) if stop < 0 else stop
        parts.append(_plain(text[at:stop], at))
        at = stop
    if opened:
        raise MarkupError(f"<{opened[-1][0]}> is not closed", opened[-1][1])
    return "".join(parts)


def _tag(text: str, at: int, opened: list[tuple[str, int]], variable: str) -> int:
    found = _TAG.match(text, at)
    if found is None:
        raise MarkupError("< begins a tag that can't be read; write &lt; for the character", at)
    name = found["name"].lower()
    if name not in _ALLOWED:
        raise MarkupError("Telegram does not know this tag", at)
    if variable in found[0]:
        raise MarkupError("a variable can't stand inside a tag", at)
    if not found["close"]:
        _attributes(name, found["attributes"], at)
        opened.append((name, at))
    elif found["attributes"] or not opened or opened[-1][0] != name:
        raise MarkupError(f"</{name}> closes nothing that is open here", at)
    else:
        opened.pop()
    return found.end()


def _attributes(name: str, text: str, at: int) -> None:
    found = {key.lower(): double or single for key, double, single in _ATTRIBUTE.findall(text)}
    if not found.keys() <= _ALLOWED[name]:
        raise MarkupError(f"<{name}> has no such attribute", at)
    for value in found.values():
        _plain(value, at)
    wrong = (
        (name == "a" and not found.get("href"))
        or (name == "span" and found.get("class") != "tg-spoiler")
        or (name == "code" and not found.get("class", "language-").startswith("language-"))
        or (name == "tg-emoji" and not re.fullmatch(r"[1-9][0-9]{0,18}", found.get("emoji-id", "")))
    )
    if wrong:
        raise MarkupError(f"<{name}> lacks what it needs, or has it wrong", at)


def _plain(text: str, at: int) -> str:
    """With its references decoded; an ampersand that begins none is written &amp;."""
    for found in re.finditer("&", text):
        if not _REFERENCE.match(text, found.start()):
            raise MarkupError("& begins no reference that Telegram knows; write &amp;", at + found.start())
    decoded = html.unescape(text)
    if "\0" in decoded or ("\ufffd" in decoded and "\ufffd" not in text):
        raise MarkupError("a reference to no character", at)
    return decoded
