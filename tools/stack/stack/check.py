"""`make check`: format, lint, import rules, types."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stack.console import Console
from stack.errors import StackError
from stack.state import checkout


@dataclass(frozen=True)
class Tool:
    """One of the checks."""

    title: str
    words: Sequence[str]


def tools(root: Path) -> list[Tool]:
    """In the order of their speed."""
    return [
        Tool("format", ["ruff", "format", "--check", "."]),
        Tool("lint", ["ruff", "check", "."]),
        Tool("import rules", ["lint-imports", "--no-logo"]),
        Tool("types", ["mypy", "--strict", *typed(root)]),
    ]


def typed(root: Path) -> list[str]:
    """The folders of all packages, which a `py.typed` marks, and the tools beside them."""
    marks = sorted(
        mark for pattern in ("libs/*/*", "services/*/*", "tools/*/*") for mark in root.glob(f"{pattern}/py.typed")
    )
    return [*(str(mark.parent.relative_to(root)) for mark in marks), "tools/bootstrap.py"]


def check_command(_: argparse.Namespace) -> int:
    """All of them, also after a failure: one run shows everything there is to mend."""
    check(Console())
    return 0


def check(console: Console) -> None:
    """StackError with every tool's output that found something."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = list(pool.map(lambda tool: _run(tool, console), tools(checkout())))
    failed = [answer for answer in answers if answer]
    if failed:
        raise StackError("\n\n".join(failed), hint="ruff format and ruff check --fix mend a part of it")


def _run(tool: Tool, console: Console) -> str:
    program = Path(sys.executable).with_name(tool.words[0])
    with console.step(tool.title) as step:
        done = subprocess.run(
            [str(program), *tool.words[1:]], cwd=checkout(), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            step.note("FAILED")
    return f"{tool.title}:\n{(done.stdout + done.stderr).strip()}" if done.returncode != 0 else ""
