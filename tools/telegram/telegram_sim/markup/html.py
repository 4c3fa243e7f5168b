"""parse_mode HTML, with Telegram's own words for what is wrong (TDLib's tests of parse_html)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from telegram_sim.errors import ApiError, bad_request
from telegram_sim.markup.builder import Entity, TextBuilder, byte_offset
from telegram_sim.markup.links import link_entity

SIMPLE = {
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
}
OTHERS = frozenset({"a", "pre", "code", "blockquote", "span", "tg-emoji"})
CHARACTER = re.compile(r"&(?:(?P<name>lt|gt|amp|quot)|#(?P<decimal>\d+)|#x(?P<hex>[0-9a-fA-F]+));?")
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
TAG_NAME = re.compile(r"[^\s>]*")
ATTRIBUTE_NAME = re.compile(r"[^\s=>]*")
BARE_VALUE = re.compile(r"[a-zA-Z0-9.\-]*")
SPACE = re.compile(r"\s*")


@dataclass
class Tag:
    """An open tag: where it stands in the source and in the text."""

    name: str
    start: int
    part: int
    attributes: dict[str, str] = field(default_factory=dict)


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Plain text and entities, or 400."""
    return HtmlParser(source).parse()


def broken(message: str) -> ApiError:
    """400 with the prefix that all clients look for."""
    return bad_request(f"can't parse entities: {message}")


class HtmlParser:
    """One pass over one text."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.out = TextBuilder()
        self.open: list[Tag] = []

    def parse(self) -> tuple[str, list[Entity]]:
        """Runs to the end of the source."""
        while self.at < len(self.source):
            letter = self.source[self.at]
            if letter == "<":
                self.tag()
            elif letter == "&":
                self.character()
            else:
                stop = next((i for i in range(self.at, len(self.source)) if self.source[i] in "<&"), len(self.source))
                self.out.add(self.source[self.at : stop])
                self.at = stop
        if self.open:
            raise broken(f'Can\'t find end tag corresponding to start tag "{self.open[-1].name}"')
        text, entities = self.out.finish()
        return text, merge_code_languages(entities)

    def character(self) -> None:
        """An escaped character; an unknown one stays as it is."""
        match = CHARACTER.match(self.source, self.at)
        decoded = decode(match) if match else None
        self.out.add(decoded or "&")
        self.at = match.end() if match and decoded else self.at + 1

    def tag(self) -> None:
        """Either kind of tag."""
        if self.source.startswith("</", self.at):
            self.end_tag()
        else:
            self.start_tag()

    def start_tag(self) -> None:
        """<name attributes>."""
        begin = self.at
        name = self.take(TAG_NAME, begin + 1).lower()
        if self.at >= len(self.source):
            raise broken(f"Unclosed start tag at byte offset {self.offset(begin)}")
        if name not in SIMPLE and name not in OTHERS:
            raise broken(f'Unsupported start tag "{name}" at byte offset {self.offset(begin)}')
        attributes = self.attributes(name, begin)
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise broken(f'Tag "span" must have class "tg-spoiler" at byte offset {self.offset(begin)}')
        self.open.append(Tag(name, self.out.length, len(self.out.parts), attributes))

    def attributes(self, tag: str, begin: int) -> dict[str, str]:
        """All attributes up to the tag's end; one without a value counts as empty."""
        found: dict[str, str] = {}
        while True:
            self.take(SPACE, self.at)
            if self.at >= len(self.source):
                raise broken(f"Unclosed start tag at byte offset {self.offset(begin)}")
            if self.source[self.at] == ">":
                self.at += 1
                return found
            name = self.take(ATTRIBUTE_NAME, self.at).lower()
            if not name:
                raise broken(f'Empty attribute name in the tag "{tag}" at byte offset {self.offset(begin)}')
            self.take(SPACE, self.at)
            found[name] = self.value(begin) if self.source.startswith("=", self.at) else ""

    def value(self, begin: int) -> str:
        """A bare or quoted value after the equals sign."""
        self.take(SPACE, self.at + 1)
        quote = self.source[self.at : self.at + 1]
        if quote not in {"'", '"'} or not quote:
            return self.take(BARE_VALUE, self.at).lower()
        end = self.source.find(quote, self.at + 1)
        if end < 0:
            raise broken(f"Unclosed start tag at byte offset {self.offset(begin)}")
        raw = self.source[self.at + 1 : end]
        self.at = end + 1
        return CHARACTER.sub(lambda match: decode(match) or match[0], raw)

    def end_tag(self) -> None:
        """</name>, or </> for whatever is open."""
        begin = self.at
        if not self.open:
            raise broken(f"Unexpected end tag at byte offset {self.offset(begin)}")
        name = self.take(TAG_NAME, begin + 2).lower()
        self.take(SPACE, self.at)
        if not self.source.startswith(">", self.at):
            raise broken(f"Unclosed end tag at byte offset {self.offset(begin)}")
        self.at += 1
        tag = self.open.pop()
        if name and name != tag.name:
            raise broken(
                f'Unmatched end tag at byte offset {self.offset(begin)}, expected "</{tag.name}>", found "</{name}>"'
            )
        self.out.mark(entity_of(tag, self.out.text_since(tag.part)), tag.start)

    def take(self, pattern: re.Pattern[str], start: int) -> str:
        """What the pattern matches from `start`; moves behind it."""
        match = pattern.match(self.source, start)
        self.at = match.end() if match else start
        return match[0] if match else ""

    def offset(self, index: int) -> int:
        """For messages."""
        return byte_offset(self.source, index)


def decode(match: re.Match[str]) -> str | None:
    """One escaped character, None for a number that is none."""
    if match["name"]:
        return NAMED[match["name"]]
    number = int(match["decimal"]) if match["decimal"] else int(match["hex"], 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else None


def entity_of(tag: Tag, text: str) -> Entity | None:
    """The entity an element stands for."""
    if tag.name in SIMPLE:
        return {"type": SIMPLE[tag.name]}
    if tag.name == "a":
        return link_entity(tag.attributes.get("href") or text)
    if tag.name == "blockquote":
        return {"type": "expandable_blockquote" if "expandable" in tag.attributes else "blockquote"}
    if tag.name == "tg-emoji":
        return {"type": "custom_emoji", "custom_emoji_id": tag.attributes.get("emoji-id", "")}
    if tag.name == "span":
        return {"type": "spoiler"}
    language = tag.attributes.get("class", "").removeprefix("language-") if "class" in tag.attributes else ""
    return {"type": tag.name} | ({"language": language} if language else {})


def merge_code_languages(entities: list[Entity]) -> list[Entity]:
    """A code element that fills a pre element gives it its language and goes; elsewhere code has no language."""
    ranges = {(entity["offset"], entity["length"]): entity for entity in entities if entity["type"] == "pre"}
    kept: list[Entity] = []
    for entity in entities:
        if entity["type"] == "code" and "language" in entity:
            around = ranges.get((entity["offset"], entity["length"]))
            if around is not None:
                around["language"] = entity["language"]
                continue
            entity.pop("language")
        kept.append(entity)
    return kept
