"""How a command ends when it can't do what it was told, and the exit codes that scripts read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

OK: Final = 0
REFUSED: Final = 1  # by the API
USAGE: Final = 2  # wrong options, missing settings, or not confirmed
UNREACHABLE: Final = 3  # no answer, or one that says "come back later"
INCOMPLETE: Final = 4  # a broadcast has ended, and not everybody has got it
PAUSED: Final = 5  # a watched broadcast waits for its content to be put right, and nobody is looking
GIVEN_UP: Final = 6  # a watched broadcast has not ended in the time that was given
INTERRUPTED: Final = 130  # Ctrl-C, as shells count
KINDS: Final = {
    REFUSED: "refused",
    USAGE: "usage",
    UNREACHABLE: "unreachable",
    PAUSED: "paused",
    GIVEN_UP: "given_up",
    INTERRUPTED: "interrupted",
}


@dataclass
class Failure(Exception):  # noqa: N818 (an outcome, not a defect)
    """`facts` are for --json, `hints` for people; `uncertain`: the request may have taken effect all the same."""

    exit_code: int
    message: str
    facts: dict[str, Any] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
    uncertain: bool = False

    def __str__(self) -> str:
        return self.message


def usage(message: str, *hints: str) -> Failure:
    """The caller's own mistake."""
    return Failure(USAGE, message, hints=list(hints))
