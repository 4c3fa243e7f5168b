"""Progress for people: a line for each finished step, and on a terminal a live line for those that still run."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from stack.style import Style

FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
PLAIN_FRAMES: Final = "|/-\\"
ERASE: Final = "\r\x1b[K"
TITLE_COLUMNS: Final = 54


class Step:
    """One thing that is being done."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""
        self.begun = time.monotonic()

    def note(self, detail: str) -> None:
        """Say more about it, such as where a server came from."""
        self.detail = detail

    @property
    def text(self) -> str:
        """Title and detail."""
        return f"{self.title} ({self.detail})" if self.detail else self.title


class Console:
    """The one who writes on the terminal; several threads may have steps at once."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self.stream = stream
        self.style = Style.of(stream)
        self._live = stream.isatty()
        self._lock = threading.RLock()
        self._running: list[Step] = []
        self._painter: threading.Thread | None = None

    def say(self, *lines: str) -> None:
        """Whole lines."""
        with self._lock:
            self._erase()
            for line in lines:
                print(line, file=self.stream)
            self.stream.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show that it is being done, and afterwards how long it took."""
        step = Step(title)
        with self._lock:
            self._running.append(step)
            self._paint_from_now_on()
        try:
            yield step
        except BaseException:
            self._finish(step, "✗" if self.style.unicode else "x", "red")
            raise
        self._finish(step, "✓" if self.style.unicode else "+", "green")

    def error(self, lines: Iterable[str]) -> None:
        """What failed and what to do."""
        first, *others = lines
        self.say("", self.style.paint(first, "red"), *others)

    def _finish(self, step: Step, sign: str, colour: str) -> None:
        with self._lock:
            self._running.remove(step)
            seconds = time.monotonic() - step.begun
            self.say(f"  {self.style.paint(sign, colour)} {step.text:<{TITLE_COLUMNS}} {seconds:6.1f} s")

    def _paint_from_now_on(self) -> None:
        if self._live and (self._painter is None):
            self._painter = threading.Thread(target=self._paint, name="console", daemon=True)
            self._painter.start()

    def _paint(self) -> None:
        for frame in itertools.cycle(FRAMES if self.style.unicode else PLAIN_FRAMES):
            with self._lock:
                if not self._running:
                    self._painter = None
                    return
                seconds = time.monotonic() - min(step.begun for step in self._running)
                text = f"  {frame} {', '.join(step.text for step in self._running)}  {seconds:.0f} s"
                self.stream.write(ERASE + text[: self.style.width - 1])
                self.stream.flush()
            time.sleep(0.1)

    def _erase(self) -> None:
        if self._live:
            self.stream.write(ERASE)
