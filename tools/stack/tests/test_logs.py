"""Logs for people."""

from __future__ import annotations

import io
import json
from pathlib import Path

from stack.console import Console
from stack.logs import Follower, rotate, tails
from stack.style import Style

PLAIN = Style()


def test_json_lines_become_readable_and_others_stay(tmp_path: Path) -> None:
    line = {"time": "2026-01-02T03:04:05.678+00:00", "level": "warning", "service": "dm", "message": "slow", "ms": 9}
    (tmp_path / "dm.log").write_text(json.dumps(line) + "\nTraceback: {\n")
    written: list[str] = []
    Follower(tails(tmp_path, ["dm"], lines=10), written.append, PLAIN).show()
    assert written == ["03:04:05.678 dm        WARNING slow ms=9", "dm        Traceback: {"]


def test_only_the_end_then_what_follows_half_lines_whole(tmp_path: Path) -> None:
    file = tmp_path / "dm.log"
    file.write_text("1\n2\n3\n")
    written: list[str] = []
    follower = Follower(tails(tmp_path, ["dm", "absent"], lines=2), written.append, PLAIN)
    follower.show()
    with file.open("a") as log:
        log.write("4\n5")
        log.flush()
        follower.show()
        log.write("6\n")
    follower.show()
    assert [line.split()[-1] for line in written] == ["2", "3", "4", "56"]


def test_where_nothing_runs_the_end_is_shown_and_nothing_waited_for(tmp_path: Path) -> None:
    (tmp_path / "dm.log").write_text("1\n")
    written: list[str] = []
    Follower(tails(tmp_path, ["dm"], lines=10), written.append, PLAIN).follow(lambda: False)
    assert [line.split()[-1] for line in written] == ["1"]


def test_a_new_run_starts_new_files(tmp_path: Path) -> None:
    (tmp_path / "dm.log").write_text("old\n")
    rotate(tmp_path)
    assert (tmp_path / "dm.log.1").read_text() == "old\n"
    assert not (tmp_path / "dm.log").exists()


def test_without_a_terminal_progress_is_plain_lines() -> None:
    stream = io.StringIO()
    console = Console(stream)
    with console.step("PostgreSQL") as step:
        step.note("packages")
    assert stream.getvalue().split() == ["✓" if console.style.unicode else "+", "PostgreSQL", "(packages)", "0.0", "s"]
    assert "\x1b" not in stream.getvalue()
