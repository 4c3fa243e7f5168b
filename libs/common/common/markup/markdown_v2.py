"""Telegram's MarkdownV2 (Bot API, "MarkdownV2 style"), read strictly: every reserved character escaped or a mark."""

from __future__ import annotations

import re
from typing import Any, Final

from common.markup.entities import Builder, Marked, link
from common.markup.errors import MarkupError

_RESERVED: Final = frozenset("_*[]()~`>#+-=|{}.!")
_PAIRED: Final = ("```", "||", "__", "_", "*", "~", "`")  # the longer first
# Telegram takes any first word for a language and drops it: here it must be one, on a line of its own.
_LANGUAGE = re.compile(r"[A-Za-z0-9+#_.-]*\n")
_ADDRESS = re.compile(r"\(((?:\\[\x01-\x7e]|[^)\\\n])+)\)")
_EMOJI = re.compile(r"tg://emoji\?id=([1-9][0-9]{0,18})")
_KINDS: Final = {
    "```": "pre",
    "||": "spoiler",
    "__": "underline",
    "_": "italic",
    "*": "bold",
    "~": "strikethrough",
    "`": "code",
}


class _Reader:
    """One pass over one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.out = Builder()
        self.open: list[tuple[str, int, int]] = []  # mark, its place in the source, where its text begins
        self.quoted: int | None = None  # where the quotation's text begins
        self.language = ""

    def read(self) -> Marked:
        while self.at < len(self.text):
            self._step()
        self._line_end(self.at)
        if self.open:
            raise MarkupError(f"{self.open[-1][0]} is not closed", self.open[-1][1])
        return self.out.finish()

    def _step(self) -> None:
        letter, top = self.text[self.at], self.open[-1][0] if self.open else ""
        if letter == "\\":
            self._escaped()
        elif top in {"`", "```"}:
            self._code(top)
        elif letter == "\n":
            self._new_line()
        elif letter == ">" and self._line_begins():
            self.quoted = self.out.length
            self.at += 1
        elif letter in _RESERVED:
            self._mark(top)
        else:
            self._take(1)

    def _escaped(self) -> None:
        if not "\x01" <= self.text[self.at + 1 : self.at + 2] <= "\x7e":
            raise MarkupError("\\ escapes nothing here; write \\\\ for the character", self.at)
        self.out.add(self.text[self.at + 1])
        self.at += 2

    def _code(self, top: str) -> None:
        if self.text.startswith(top, self.at):
            self._close({"language": self.language} if top == "```" and self.language else {})
            self.at += len(top)
        elif self.text[self.at] == "`":
            raise MarkupError("` must be escaped inside code", self.at)
        else:
            self._take(1)

    def _line_end(self, at: int) -> None:
        """A quotation is its lines, and what is opened in one of them is closed in it."""
        if self.quoted is None:
            return
        if self.open:
            raise MarkupError(f"{self.open[-1][0]} is not closed before the quoted line ends", at)
        self.out.mark("blockquote", self.quoted)
        self.quoted = None

    def _new_line(self) -> None:
        """Quoted lines that follow each other are one quotation."""
        if self.quoted is not None and not self.open and self.text.startswith(">", self.at + 1):
            self._take(1)
            self.at += 1
            return
        self._line_end(self.at)
        self._take(1)

    def _line_begins(self) -> bool:
        """An escaped line end is a character like others: what follows it begins no line."""
        if self.quoted is not None or self.open:
            return False
        before = self.text[: self.at]
        escaped = (len(before) - 1 - len(before[:-1].rstrip("\\"))) % 2 == 1
        return not before or (before[-1] == "\n" and not escaped)

    def _mark(self, top: str) -> None:
        if self.text.startswith("![", self.at):
            self._push("![")
        elif self.text[self.at] == "[":
            self._push("[")
        elif self.text[self.at] == "]" and top in {"[", "!["}:
            self._link(top)
        else:
            mark = next((m for m in _PAIRED if self.text.startswith(m, self.at)), None)
            if mark is None:
                raise MarkupError(f"{self.text[self.at]} must be escaped with \\", self.at)
            self._paired(mark, top)

    def _paired(self, mark: str, top: str) -> None:
        if mark == top:
            self._close({})
            self.at += len(mark)
        elif mark in {m for m, _, _ in self.open}:
            raise MarkupError(f"{mark} is closed before what was opened inside it", self.at)
        else:
            self._push(mark)
            if mark == "```":
                self._language()

    def _language(self) -> None:
        found = _LANGUAGE.match(self.text, self.at)
        if found is None:
            raise MarkupError("``` is followed by a language and a line end, or by a line end", self.at)
        self.language = found[0][:-1]
        self.at = found.end()

    def _push(self, mark: str) -> None:
        if mark in {"[", "!["} and any(m in {"[", "!["} for m, _, _ in self.open):
            raise MarkupError("a link can't stand inside a link", self.at)
        self.open.append((mark, self.at, self.out.length))
        self.at += len(mark)

    def _close(self, extra: dict[str, Any]) -> None:
        mark, _, start = self.open.pop()
        self.out.mark(_KINDS[mark], start, extra)

    def _link(self, top: str) -> None:
        self.at += 1
        found = _ADDRESS.match(self.text, self.at)
        if found is None:
            raise MarkupError("the address of a link follows in ( )", self.at)
        address = re.sub(r"\\(.)", r"\1", found[1])
        emoji = _EMOJI.fullmatch(address)
        if top == "![" and emoji is None:
            raise MarkupError("a custom emoji's address is tg://emoji?id=<number>", self.at)
        kind, extra = ("custom_emoji", {"custom_emoji_id": emoji[1]}) if top == "![" and emoji else link(address)
        _, _, start = self.open.pop()
        self.out.mark(kind, start, extra)
        self.at = found.end()

    def _take(self, count: int) -> None:
        self.out.add(self.text[self.at : self.at + count])
        self.at += count


def parse(text: str) -> Marked:
    """MarkupError for whatever Telegram might refuse."""
    return _Reader(text).read()
