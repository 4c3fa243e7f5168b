"""No child outlives its parent, and no stranger is ever ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stack.errors import StackError
from stack.identity import Identity, descendants, identify
from stack.keeper import Keeper, Program, sweep, wait_until

PARENT = """
    import sys, time
    from pathlib import Path
    from stack.keeper import Keeper, Program
    folder = Path(sys.argv[1])
    with Keeper(folder / "run") as keeper:
        keeper.start(Program("family", ["sh", "-c", "sleep 600 & setsid sleep 600 & wait"], folder / "log", {}, folder))
        keeper.start(Program("deaf", ["sh", "-c", "trap '' TERM; sleep 600 & wait; wait"], folder / "log", {}, folder))
        time.sleep(600)
"""


def program(folder: Path, *words: str, name: str = "child", **changes: float) -> Program:
    return Program(name, words, folder / f"{name}.log", {"PATH": os.environ["PATH"]}, folder, **changes)  # type: ignore[arg-type]


def wait(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_kill_nine_of_the_parent_ends_children_grandchildren_and_the_deaf(tmp_path: Path) -> None:
    words = [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)]
    with subprocess.Popen(words) as parent:
        wait(lambda: len(list((tmp_path / "run").glob("*.json"))) == 2)
        wait(lambda: len(descendants(parent.pid)) >= 6)
        family = [identify(pid) for pid in descendants(parent.pid)]
        parent.send_signal(signal.SIGKILL)
    wait(lambda: not any(who is not None and who.alive() for who in family))


def test_stopping_is_polite_first(tmp_path: Path) -> None:
    with Keeper(tmp_path / "run") as keeper:
        child = keeper.start(program(tmp_path, "sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; sleep 600 & wait"))
        wait(lambda: "up" in child.program.log.read_text())
        keeper.stop(child)
    assert child.popen.returncode == 0
    assert "bye" in child.program.log.read_text()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_deaf_child_is_killed_after_its_grace(tmp_path: Path) -> None:
    with Keeper(tmp_path / "run") as keeper:
        child = keeper.start(program(tmp_path, "sh", "-c", "trap '' TERM; echo up; sleep 600; sleep 600", grace=0.2))
        wait(lambda: "up" in child.program.log.read_text())
        begun = time.monotonic()
        keeper.stop(child)
    assert child.popen.returncode == -signal.SIGKILL
    assert time.monotonic() - begun < 5


def test_a_child_that_ends_early_is_told_with_its_log(tmp_path: Path) -> None:
    with Keeper(tmp_path / "run") as keeper:
        child = keeper.start(program(tmp_path, "sh", "-c", "echo no such luck; exit 3", name="unlucky"))
        with pytest.raises(StackError, match="unlucky ended with exit code 3") as failure:
            wait_until(lambda: False, child, timeout=10)
    assert "  no such luck" in failure.value.lines()


def test_a_closed_keeper_starts_nothing(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "run")
    keeper.close()
    with pytest.raises(StackError, match="being stopped"):
        keeper.start(program(tmp_path, "sleep", "600"))


def test_sweeping_ends_what_is_left_and_never_a_stranger(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as left, subprocess.Popen(["sleep", "600"]) as stranger:
        who, other = identify(left.pid), identify(stranger.pid)
        assert who is not None
        assert other is not None
        records = {"left": who, "recycled": Identity(other.pid, other.started - 1), "gone": Identity(2**22 - 1, 1)}
        for name, each in records.items():
            saved = {"name": name, "pid": each.pid, "started": each.started, "signal": int(signal.SIGTERM)}
            (tmp_path / f"{name}.json").write_text(json.dumps(saved))
        assert sweep(tmp_path) == ["left"]
        assert left.wait() == -signal.SIGTERM
        assert stranger.poll() is None
        stranger.kill()
    assert list(tmp_path.iterdir()) == []
