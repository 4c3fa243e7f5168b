"""parse_mode Markdown, the old one: no nesting, few marks (core.telegram.org/bots/api#markdown-style)."""

from __future__ import annotations

from telegram_sim.errors import ApiError
from telegram_sim.markup.builder import Entity, TextBuilder, byte_offset
from telegram_sim.markup.html import broken
from telegram_sim.markup.links import link_entity

MARKS = {"```": "pre", "`": "code", "*": "bold", "_": "italic"}
ESCAPABLE = frozenset("_*`[")


def parse_markdown(source: str) -> tuple[str, list[Entity]]:
    """Plain text and entities, or 400."""
    out = TextBuilder()
    at = 0
    while at < len(source):
        if source[at] == "\\" and source[at + 1 : at + 2] in ESCAPABLE:
            out.add(source[at + 1])
            at += 2
        elif source[at] == "[":
            at = link(source, at, out)
        elif mark := next((mark for mark in MARKS if source.startswith(mark, at)), ""):
            at = marked(source, at, mark, out)
        else:
            out.add(source[at])
            at += 1
    return out.finish()


def marked(source: str, at: int, mark: str, out: TextBuilder) -> int:
    """Text up to the same mark again."""
    end = source.find(mark, at + len(mark))
    if end < 0:
        raise endless(source, at)
    start = out.length
    out.add(source[at + len(mark) : end])
    out.mark({"type": MARKS[mark]}, start)
    return end + len(mark)


def link(source: str, at: int, out: TextBuilder) -> int:
    """[text](url); brackets without a URL vanish."""
    middle = source.find("]", at)
    if middle < 0:
        raise endless(source, at)
    start = out.length
    out.add(source[at + 1 : middle])
    if not source.startswith("(", middle + 1):
        return middle + 1
    end = source.find(")", middle)
    if end < 0:
        raise endless(source, at)
    out.mark(link_entity(source[middle + 2 : end]), start)
    return end + 1


def endless(source: str, at: int) -> ApiError:
    """The one complaint this mode has."""
    return broken(f"Can't find end of the entity starting at byte offset {byte_offset(source, at)}")
