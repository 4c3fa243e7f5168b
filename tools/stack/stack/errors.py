"""What can go wrong, said so that the reader knows what to do next."""

from __future__ import annotations

from pathlib import Path


class StackError(Exception):
    """Something is missing or did not start: what, which log tells more, and what to do."""

    def __init__(self, text: str, *, log: Path | None = None, hint: str | None = None) -> None:
        super().__init__(text)
        self.log = log
        self.hint = hint

    def lines(self, tail: int = 12) -> list[str]:
        """The whole story for a person: the failure, the end of its log, the next step."""
        story = [str(self)]
        if self.log is not None and self.log.exists():
            story.append(f"the end of {self.log}:")
            story += [f"  {line}" for line in last_lines(self.log, tail)]
        if self.hint is not None:
            story.append(self.hint)
        return story


def last_lines(file: Path, count: int) -> list[str]:
    """The end of a text file."""
    return file.read_text(errors="replace").splitlines()[-count:]
