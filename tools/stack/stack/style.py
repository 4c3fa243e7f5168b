"""Colours where a terminal shows them, and plain text everywhere else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

CODES: Final[Mapping[str, str]] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
SERVICES: Final[Mapping[str, str]] = {
    "ingress": "cyan",
    "tgms": "magenta",
    "sender": "yellow",
    "dm": "green",
    "telegram": "blue",
}


@dataclass(frozen=True)
class Style:
    """What the output can show."""

    colour: bool = False
    unicode: bool = True
    width: int = 100  # columns

    @classmethod
    def of(cls, stream: TextIO) -> Style:
        """What that stream can show; NO_COLOR is honoured."""
        terminal = stream.isatty()
        colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        unicode = (stream.encoding or "ascii").lower().replace("-", "") in {"utf8", "utf8sig"}
        return cls(colour, unicode, shutil.get_terminal_size((100, 24)).columns if terminal else 100)

    def paint(self, text: str, colour: str | None) -> str:
        """The text in that colour."""
        if not self.colour or colour is None or not text:
            return text
        return f"\x1b[{CODES[colour]}m{text}\x1b[0m"

    def service(self, name: str, text: str | None = None) -> str:
        """Text in the colour of a service, whatever the number of its instance."""
        return self.paint(name if text is None else text, SERVICES.get(name.split("-", maxsplit=1)[0]))
