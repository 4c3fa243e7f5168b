"""What a command says: results on standard output, as tables or as JSON; everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from muster_cli.clean import clean
from muster_cli.errors import KINDS, OK, Failure, usage

_UNBOUND = 100_000  # columns of a file or a pipe


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Of `| head`: not rich's exit code 1, which is the API's refusal here."""
        raise BrokenPipeError


def _console(*, stderr: bool = False) -> Console:
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if terminal else _UNBOUND
    return _Console(stderr=stderr, force_terminal=terminal, width=width, highlight=False, markup=False, emoji=False)


class Screen:
    """`as_json`: scripts read it."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = _console()
        self._notes = _console(stderr=True)

    @property
    def lively(self) -> bool:
        """Whether what is shown can change in place."""
        return self._out.is_terminal and not self._out.is_dumb_terminal and not self.as_json

    def document(self, document: Mapping[str, Any]) -> None:
        """One line of JSON; ASCII, so that no terminal obeys what a stranger has written."""
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()

    def lines(self, documents: Iterable[Mapping[str, Any]]) -> int:
        """One a line, as they come; the exit code."""
        for document in documents:
            self.document(document)
        return OK

    def more(self, shown: int, limit: int | None) -> None:
        """After a list that may have been cut."""
        if limit is not None and shown >= limit:
            self.note(f"the first {shown}; more with --limit N, all with --limit 0")

    def line(self, text: str) -> None:
        """A result as it is."""
        self._out.print(clean(text), soft_wrap=True)
        sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Under its headings; columns of numbers to the right."""
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in columns:
            numeric = column.endswith("#")
            table.add_column(column.rstrip("#"), justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(clean("" if cell is None else cell)) for cell in row))
        self._out.print(table)

    def facts(self, pairs: Iterable[tuple[str, object]]) -> None:
        """One thing's fields; those that are empty are left out."""
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in pairs:
            if value is not None and value != "":
                table.add_row(name, Text(clean(value, lines=True)))
        self._out.print(table)

    def note(self, text: str) -> None:
        """Beside the result."""
        self._notes.print(Text(clean(text)), soft_wrap=True)

    def failure(self, failure: Failure) -> None:
        """Why there is no result."""
        if self.as_json:
            facts = {
                "error": KINDS.get(failure.exit_code, "refused"),
                "message": failure.message,
                "hints": failure.hints,
            } | failure.facts
            sys.stderr.write(json.dumps({**facts, "exit_code": failure.exit_code}) + "\n")
            return
        self._notes.print(Text.assemble(("muster: ", "bold red"), clean(failure.message)), soft_wrap=True)
        for hint in failure.hints:
            self._notes.print(Text(f"  {clean(hint)}"), soft_wrap=True)

    def confirmed(self, question: str) -> bool:
        """Asked on the terminal, even where standard input is the message; Failure where there is none."""
        prompt = f"{clean(question)} [y/N] "
        if sys.stdin.isatty():
            return _yes(prompt, sys.stdin.readline)
        try:
            with open("/dev/tty", encoding="utf-8", errors="replace") as terminal:  # noqa: PTH123 (a device)
                return _yes(prompt, terminal.readline)
        except OSError:
            raise usage("nobody is here to confirm this", "give --yes where no terminal is") from None

    @contextmanager
    def live(self, first: RenderableType) -> Iterator[Live]:
        """A picture that changes in place; notes appear above it."""
        notes, self._notes = self._notes, self._out
        try:
            with Live(first, console=self._out, refresh_per_second=8, redirect_stdout=False) as live:
                yield live
        finally:
            self._notes = notes


def _yes(prompt: str, answer: Any) -> bool:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return str(answer()).strip().lower() in {"y", "yes"}
