"""`make test` on further Pythons, with scripts in their place."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stack import suite
from stack.suite import Run, aside

SERVERS: Any = SimpleNamespace(environment={"DATABASE_URL": "postgresql://there"})


def python(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_each_says_what_it_found_and_how_it_ended(tmp_path: Path) -> None:
    first = Run("3.12", python(tmp_path, "one", 'echo "$DATABASE_URL $*"; exit 3'), ["-x"])
    second = Run("3.13", python(tmp_path, "two", "echo two >&2"))
    with aside(SERVERS, [first, second]) as answers:
        found = [(run.label, *answer.result()) for run, answer in answers]
    assert found == [("3.12", 3, "postgresql://there -m pytest -q -x\n"), ("3.13", 0, "two\n")]


def test_who_leaves_early_waits_for_none_of_them(tmp_path: Path) -> None:
    begun, again = tmp_path / "begun", tmp_path / "again"
    runs = [
        Run("3.12", python(tmp_path, "one", f"touch {begun}; exec sleep 60")),
        Run("3.13", python(tmp_path, "two", f"touch {again}")),
    ]
    started = time.monotonic()
    with aside(SERVERS, runs):
        while not begun.exists():
            time.sleep(0.01)
    assert time.monotonic() - started < 15
    assert not again.exists()


def test_one_between_runs_what_runs_there_and_the_newest_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {(3, 12): Path("a"), (3, 13): Path("b")}
    monkeypatch.setattr(suite, "newer_pythons", lambda: found)
    monkeypatch.setattr(suite.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0))
    between, newest = suite._newer(suite.Console())
    assert list(between.choice) == [*suite.WITHOUT_SLOW, *suite.BETWEEN]
    assert list(newest.choice) == [*suite.WITHOUT_SLOW, *suite.BEYOND]
