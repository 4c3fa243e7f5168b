"""`make test`: the checks, then all tests on the default Python and on each newer one found, against real servers."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.check import check
from stack.console import Console
from stack.errors import StackError
from stack.pythons import newer_pythons
from stack.servers import Wish, packages, temporary
from stack.servers.cli import beside
from stack.signals import EndRequested, ends_raise
from stack.state import checkout

# Slow ones start servers or whole systems of their own: once is enough, whatever the Python.
WITHOUT_SLOW: Final = ("-m", "not slow")


@dataclass(frozen=True)
class Run:
    """The tests on one Python."""

    label: str
    python: Path
    choice: Sequence[str] = ()


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verb."""
    parser = commands.add_parser("test", help="check, then all tests on each Python found")
    parser.add_argument("--fast", action="store_true", help="the default Python only, no checks")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="-- PYTEST WORDS", help="in place of `-n 2`")
    parser.set_defaults(act=test_command)


def test_command(arguments: argparse.Namespace) -> int:
    """Stops at the first run that fails, so that the last line is always pytest's own about what counts."""
    console = Console()
    words = [word for word in arguments.words if word != "--"]
    try:
        with ends_raise():
            return _all(console, words, fast=arguments.fast)
    except EndRequested:
        return 130


def _all(console: Console, words: Sequence[str], *, fast: bool) -> int:
    if not fast:
        check(console)
    _have_pgbouncer(console)
    runs = [Run(_version(sys.version_info[:2]), Path(sys.executable)), *([] if fast else _newer(console))]
    with temporary(Wish.from_environment(fast=True), report=console.say) as servers:
        for number, run in enumerate(runs, start=1):
            console.say("", console.style.paint(f"tests on {run.label} ({number} of {len(runs)})", "bold"))
            begun = time.monotonic()
            code = beside(servers, _pytest(run, words), _environment())
            if code != 0:
                return code
            if number < len(runs):
                console.say(f"  {run.label} passed in {time.monotonic() - begun:.0f} s")
    return 0


def _have_pgbouncer(console: Console) -> None:
    # The store's tests go through a real transaction-mode pooler.
    if shutil.which("pgbouncer", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin") is None:
        with console.step("PgBouncer, for the tests"):
            packages.install(["pgbouncer"])


def _newer(console: Console) -> list[Run]:
    runs = []
    for version, python in newer_pythons().items():
        label = _version(version)
        venv = checkout() / ".cache" / f"venv-{version[0]}.{version[1]}"
        with console.step(f"environment for {label}"):
            words = [str(python), str(checkout() / "tools" / "bootstrap.py"), "--quiet", "--venv", str(venv)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise StackError(f"the environment for {label} could not be made:\n{done.stdout}{done.stderr}")
        runs.append(Run(label, venv / "bin" / "python", WITHOUT_SLOW))
    return runs


def _pytest(run: Run, words: Sequence[str]) -> list[str]:
    # Tests of one file stay together: some share servers of their own.
    return [str(run.python), "-m", "pytest", "-q", *run.choice, *(words or ["-n", "2", "--dist", "loadfile"])]


def _environment() -> dict[str, str]:
    # The tests' own connections go to the loopback only.
    return {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def _version(version: Sequence[int]) -> str:
    return f"Python {version[0]}.{version[1]}"
