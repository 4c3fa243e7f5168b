"""Following the services' logs, each line with the name of who wrote it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stack.style import Style

POLL: Final = 0.15  # seconds
NAME_COLUMNS: Final = 9
LEVELS: Final[Mapping[str, str]] = {"warning": "yellow", "error": "red", "critical": "red"}
# Shown elsewhere in the line, or of no use to a person who watches.
LEFT_OUT: Final = frozenset({"time", "level", "service", "logger", "message", "trace_id", "span_id", "frames"})


@dataclass
class Tail:
    """One log file, read as it grows."""

    name: str
    file: Path
    offset: int = 0
    rest: bytes = b""

    def news(self) -> list[str]:
        """The lines that were finished since the last call; a file that became shorter is read from its beginning."""
        if not self.file.exists():
            return []
        size = self.file.stat().st_size
        if size < self.offset:
            self.offset, self.rest = 0, b""
        if size == self.offset:
            return []
        with self.file.open("rb") as opened:
            opened.seek(self.offset)
            data = self.rest + opened.read(size - self.offset)
        self.offset = size
        *lines, self.rest = data.split(b"\n")
        return [line.decode(errors="replace") for line in lines if line]


@dataclass
class Follower:
    """Several files at once, until it is told to stop."""

    tails: Sequence[Tail]
    write: Callable[[str], None]
    style: Style
    stopped: threading.Event = field(default_factory=threading.Event)

    def follow(self, anybody_writes: Callable[[], bool] = lambda: True) -> None:
        """Return when stopped, or when nobody writes; what was written until then is shown."""
        while not self.stopped.wait(POLL) and anybody_writes():
            self.show()
        self.show()

    def show(self) -> None:
        """What is new now."""
        for tail in self.tails:
            for line in tail.news():
                self.write(render(tail.name, line, self.style))


def tails(logs: Path, names: Iterable[str], *, lines: int | None) -> list[Tail]:
    """Those logs: the last so many lines and what follows; None for only what follows."""
    found = [Tail(name, logs / f"{name}.log") for name in names]
    for tail in found:
        if tail.file.exists():
            tail.offset = tail.file.stat().st_size if lines is None else _offset(tail.file, lines)
    return found


def rotate(logs: Path) -> None:
    """Put the last run's logs aside, one generation of them, so that a log is that of one run."""
    for file in [*logs.glob("*.log"), *logs.glob("*.jsonl")]:
        file.rename(file.with_name(f"{file.name}.1"))


def render(name: str, line: str, style: Style) -> str:
    """One line for a person: time, who, level where it matters, message, what else it says."""
    head = style.service(name, f"{name:<{NAME_COLUMNS}}")
    fields = _fields(line)
    if fields is None:
        return f"{head} {line}"
    level = str(fields.get("level", "info"))
    message = style.paint(str(fields.get("message", "")), LEVELS.get(level))
    more = " ".join(f"{key}={value}" for key, value in fields.items() if key not in LEFT_OUT)
    time = style.paint(str(fields.get("time", ""))[11:23], "dim")
    mark = "" if level in {"info", "debug"} else style.paint(level.upper() + " ", LEVELS.get(level))
    return " ".join(part for part in (time, head, mark + message, style.paint(more, "dim")) if part)


def _fields(line: str) -> Mapping[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _offset(file: Path, lines: int) -> int:
    data = file.read_bytes()
    ends = [index for index, byte in enumerate(data) if byte == 0x0A]
    return ends[-lines - 1] + 1 if len(ends) > lines else 0
