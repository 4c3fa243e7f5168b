"""parse_mode MarkdownV2, with Telegram's own words for what is wrong (TDLib's tests of parse_markdown_v2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from telegram_sim.errors import ApiError
from telegram_sim.markup.builder import Entity, TextBuilder, byte_offset
from telegram_sim.markup.html import broken
from telegram_sim.markup.links import link_entity

RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
# The longer mark first: two underscores are never two times one.
MARKS = (("```", "Pre"), ("__", "Underline"), ("||", "Spoiler"), ("![", "CustomEmoji"))
SHORT_MARKS = {"_": "Italic", "*": "Bold", "~": "Strikethrough", "`": "Code", "[": "TextUrl"}
CLOSERS = {
    "Pre": "```",
    "PreCode": "```",
    "Underline": "__",
    "Spoiler": "||",
    "Italic": "_",
    "Bold": "*",
    "Strikethrough": "~",
    "Code": "`",
    "TextUrl": "]",
    "CustomEmoji": "]",
}
VERBATIM = frozenset({"Code", "Pre", "PreCode"})
LANGUAGE = re.compile(r"[^\s`]+(?=[^`])")
LINE_END = re.compile(r"\r\n|\n\r|\n|\r")
EMOJI_ID = re.compile(r"[1-9]\d{0,18}")


@dataclass
class Mark:
    """An open entity: its name in messages, and where it began in the source and in the text."""

    name: str
    begin: int
    start: int
    part: int
    language: str = ""


def parse_markdown_v2(source: str) -> tuple[str, list[Entity]]:
    """Plain text and entities, or 400."""
    return MarkdownParser(source).parse()


class MarkdownParser:
    """One pass over one text."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.out = TextBuilder()
        self.open: list[Mark] = []

    def parse(self) -> tuple[str, list[Entity]]:
        """Runs to the end of the source."""
        while self.at < len(self.source):
            self.step()
        self.end_quote()
        if self.open:
            raise self.unclosed()
        return self.out.finish()

    def step(self) -> None:
        """One letter, or one mark."""
        letter = self.source[self.at]
        top = self.open[-1].name if self.open else ""
        if letter == "\\" and "\x01" <= self.source[self.at + 1 : self.at + 2] <= "~":
            self.out.add(self.source[self.at + 1])
            self.at += 2
        elif letter == "\n" and top not in VERBATIM:
            self.new_line()
        elif letter == "`" if top in VERBATIM else letter in RESERVED:
            self.mark(top)
        else:
            self.out.add(letter)
            self.at += 1

    def mark(self, top: str) -> None:
        """Ends the innermost entity, or begins one."""
        if self.at_line_start() and self.begin_quote():
            return
        if top == "BlockQuote" and self.at_quote_end():
            self.at += 2
            self.close(self.open.pop(), {"type": "expandable_blockquote"})
        elif self.ends(top):
            self.end(self.open.pop())
        else:
            self.begin()

    def ends(self, top: str) -> bool:
        """True when the innermost entity's closing mark stands here; one underscore is not half of two."""
        closer = CLOSERS.get(top)
        if closer is None or not self.source.startswith(closer, self.at):
            return False
        return top != "Italic" or not self.source.startswith("__", self.at)

    def begin(self) -> None:
        """Opens an entity, or tells which character wants a backslash."""
        begin = self.at
        for mark, name in MARKS:
            if self.source.startswith(mark, begin):
                self.at += len(mark)
                return self.opened(Mark(name, begin, self.out.length, len(self.out.parts)))
        name = SHORT_MARKS.get(self.source[begin], "")
        if not name:
            raise broken(f"Character '{self.source[begin]}' is reserved and must be escaped with the preceding '\\'")
        self.at += 1
        return self.opened(Mark(name, begin, self.out.length, len(self.out.parts)))

    def opened(self, mark: Mark) -> None:
        """Notes the entity; a code block first gives its language and one line end."""
        if mark.name == "Pre":
            language = LANGUAGE.match(self.source, self.at)
            if language:
                mark.name, mark.language = "PreCode", language[0]
                self.at = language.end()
            line_end = LINE_END.match(self.source, self.at)
            self.at = line_end.end() if line_end else self.at
        self.open.append(mark)

    def end(self, mark: Mark) -> None:
        """Closes an entity at its closing mark."""
        self.at += len(CLOSERS[mark.name])
        if mark.name == "TextUrl":
            self.close(mark, link_entity(self.url("a URL") or self.out.text_since(mark.part)))
        elif mark.name == "CustomEmoji":
            self.close(mark, emoji_entity(self.url("a custom emoji URL")))
        elif mark.name == "PreCode":
            self.close(mark, {"type": "pre", "language": mark.language})
        else:
            self.close(mark, {"type": mark.name.lower()})

    def close(self, mark: Mark, entity: Entity | None) -> None:
        """Adds the entity to the text."""
        self.out.mark(entity, mark.start)

    def url(self, what: str) -> str:
        """The (url) behind a closing bracket, empty when there is none."""
        if not self.source.startswith("(", self.at):
            return ""
        begin = self.at + 1
        letters: list[str] = []
        at = begin
        while at < len(self.source) and self.source[at] != ")":
            if self.source[at] == "\\" and at + 1 < len(self.source):
                at += 1
            letters.append(self.source[at])
            at += 1
        if at >= len(self.source):
            raise broken(f"Can't find end of {what} at byte offset {byte_offset(self.source, begin)}")
        self.at = at + 1
        return "".join(letters)

    def at_line_start(self) -> bool:
        """True at the beginning of a line outside all entities."""
        return not self.open and (self.at == 0 or self.source[self.at - 1] == "\n")

    def begin_quote(self) -> bool:
        """Opens a quotation at > or **>."""
        for mark in (">", "**>"):
            if self.source.startswith(mark, self.at):
                self.open.append(Mark("BlockQuote", self.at, self.out.length, len(self.out.parts)))
                self.at += len(mark)
                return True
        return False

    def at_quote_end(self) -> bool:
        """True at a || that ends the quotation and makes it expandable."""
        if not self.source.startswith("||", self.at):
            return False
        behind = self.source[self.at + 2 : self.at + 4]
        return not behind or (behind[0] == "\n" and behind != "\n>")

    def new_line(self) -> None:
        """Goes on with the quotation when > follows, ends it otherwise."""
        quoted = any(mark.name == "BlockQuote" for mark in self.open)
        if quoted and self.source[self.at + 1 : self.at + 2] == ">":
            self.out.add("\n")
            self.at += 2
            return
        if quoted:
            self.end_quote()
            if self.open:
                raise self.unclosed()
        self.out.add("\n")
        self.at += 1

    def end_quote(self) -> None:
        """Closes a quotation that is the innermost entity."""
        if self.open and self.open[-1].name == "BlockQuote":
            self.close(self.open.pop(), {"type": "blockquote"})

    def unclosed(self) -> ApiError:
        """The innermost open entity is the one that is named."""
        mark = self.open[-1]
        return broken(f"Can't find end of {mark.name} entity at byte offset {byte_offset(self.source, mark.begin)}")


def emoji_entity(url: str) -> Entity:
    """tg://emoji?id=… and nothing else."""
    match = re.fullmatch(r"(?P<scheme>[a-z]+):(?://)?(?P<host>[^?#/]*)/?(?:\?(?P<query>[^#]*))?(?:#.*)?", url)
    if not url or not match:
        raise broken("Custom emoji entity must contain a tg://emoji URL")
    if match["scheme"] != "tg":
        raise broken("Custom emoji URL must have scheme tg")
    if match["host"] != "emoji":
        raise broken('Custom emoji URL must have host "emoji"')
    arguments = dict(pair.split("=", 1) for pair in (match["query"] or "").split("&") if "=" in pair)
    if "id" not in arguments:
        raise broken("Custom emoji URL must have an emoji identifier")
    if not EMOJI_ID.fullmatch(arguments["id"]):
        raise broken("Invalid custom emoji identifier specified")
    return {"type": "custom_emoji", "custom_emoji_id": arguments["id"]}
