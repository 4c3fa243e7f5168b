"""`make test`: the checks, then the tests on the default Python and beside it on each newer one, on real servers."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stack.check import check
from stack.console import Console
from stack.errors import StackError
from stack.pythons import newer_pythons
from stack.servers import Servers, Wish, packages, temporary
from stack.servers.cli import beside
from stack.signals import EndRequested, ends_raise
from stack.state import checkout

# Slow ones start servers or whole systems of their own: once is enough, whatever the Python.
WITHOUT_SLOW: Final = ("-m", "not slow")
BETWEEN: Final = ("services/ingress", "tests/e2e")
BEYOND: Final = ("--ignore=services/ingress",)  # where a version between has run it
# Tests of one file stay together, for some share servers of their own; the longest files come first (conftest.py).
# Three at once on two cores: the longest wait for Telegram's limits, and compute little.
SHARED: Final = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
# The tests' own connections go to the loopback only.
LOOPBACK_ONLY: Final = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


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
    """A run that failed is the last one shown, so that the last line is always pytest's own about what counts."""
    console = Console()
    words = [word for word in arguments.words if word != "--"]
    try:
        with ends_raise():
            return _all(console, words, fast=arguments.fast)
    except EndRequested:
        return 130


def _all(console: Console, words: Sequence[str], *, fast: bool) -> int:
    newer = [] if fast else _checked(console)
    _have_pgbouncer(console)
    default = Run(_version(sys.version_info[:2]), Path(sys.executable))
    with temporary(Wish.from_environment(fast=True), report=console.say) as servers, aside(servers, newer) as others:
        console.say("", console.style.paint(f"tests on {default.label}", "bold"))
        code = beside(servers, [*_pytest(default), *(words or SHARED)], LOOPBACK_ONLY)
        for run, answer in others:
            if code != 0:
                return code
            console.say("", console.style.paint(f"tests on {run.label}, which ran beside", "bold"))
            code, said = answer.result()
            print(said, end="", flush=True)  # as the default one's, whose words were not ours
    return code


def _checked(console: Console) -> list[Run]:
    # The one waits for downloads and disks, the other computes.
    with ThreadPoolExecutor() as pool:
        newer = pool.submit(_newer, console)
        check(console)
        return newer.result()


@contextmanager
def aside(servers: Servers, runs: Sequence[Run]) -> Iterator[list[tuple[Run, Future[tuple[int, str]]]]]:
    """Runs of one process each, one after the other: exit code and output; who leaves early ends them."""
    begun: list[subprocess.Popen[str]] = []

    def tests(run: Run) -> tuple[int, str]:
        environment = os.environ | servers.environment | LOOPBACK_ONLY
        pipe, out = subprocess.PIPE, subprocess.STDOUT
        begun.append(subprocess.Popen(_pytest(run), env=environment, stdout=pipe, stderr=out, text=True))
        said, _ = begun[-1].communicate()
        return begun[-1].returncode, said

    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            yield [(run, pool.submit(tests, run)) for run in runs]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for popen in begun:
                popen.terminate()


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
    # A version between: what Vercel runs on it, and the whole system once. The newest, which the images have: all else.
    return [
        *(replace(run, choice=[*run.choice, *BETWEEN]) for run in runs[:-1]),
        *(replace(run, choice=[*run.choice, *BEYOND]) if len(runs) > 1 else run for run in runs[-1:]),
    ]


def _pytest(run: Run) -> list[str]:
    return [str(run.python), "-m", "pytest", "-q", *run.choice]


def _version(version: Sequence[int]) -> str:
    return f"Python {version[0]}.{version[1]}"
