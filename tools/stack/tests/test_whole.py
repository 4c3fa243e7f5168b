"""The whole system, as a person uses it: smoke; up, a second up, Ctrl-C; and what a crash leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack.identity import identify
from stack.servers.packages import missing

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]
LINE = re.compile(
    r"answered in \d+ ms, trace [0-9a-f]{32} with \d+ spans over 2 services; "
    r"broadcast to 300 groups: 300 sent in \d+\.\d s\n"
)


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    if missing():
        pytest.skip("the distribution's packages are not installed")
    # Short and open to the servers' users, which pytest's own folder is not.
    with tempfile.TemporaryDirectory(prefix="muster-test-") as folder:
        Path(folder).chmod(0o711)
        left_out = {"DATABASE_URL", "AMQP_URL", "TELEGRAM_BOT_TOKEN"}
        inherited = {name: value for name, value in os.environ.items() if name not in left_out}
        yield {**inherited, "MUSTER_STATE": f"{folder}/state", "TMPDIR": folder, "MUSTER_SERVERS": "packages"}


def stack(*words: str) -> list[str]:
    return [sys.executable, "-m", "stack", *words]


def test_smoke_answers_in_one_line_and_leaves_nothing(environment: dict[str, str]) -> None:
    done = _run(environment, "smoke")
    assert done.returncode == 0, done.stderr
    assert LINE.fullmatch(done.stdout)
    assert list(Path(environment["TMPDIR"]).iterdir()) == []


def test_smoke_fails_when_something_is_missing(environment: dict[str, str]) -> None:
    nowhere = {"DATABASE_URL": "postgresql://muster@127.0.0.1:1/muster"}
    done = _run(environment | nowhere, "smoke")
    assert done.returncode == 1
    assert "nobody answers at 127.0.0.1:1" in done.stderr
    assert done.stdout == ""


def test_up_survives_kill_nine_shows_a_trace_and_stops_on_ctrl_c(environment: dict[str, str]) -> None:
    with subprocess.Popen(stack("up"), env=environment, stdout=subprocess.PIPE, text=True) as first:
        _until(first, "try next")
        first.kill()
    with subprocess.Popen(stack("up"), env=environment, stdout=subprocess.PIPE, text=True) as up:
        shown = _until(up, "try next")
        second = _run(environment, "up")
        children = _records(environment)
        up.send_signal(signal.SIGINT)
        rest = up.stdout.read() if up.stdout else ""
    assert all(words in shown for words in ("answered:", "sendMessage", "process dm_queue"))
    assert (second.returncode, second.stdout.splitlines()[0]) == (0, "already running")
    assert "/docs" in second.stdout
    assert "everything is stopped" in rest
    assert up.returncode == 0
    assert len(children) == 8
    assert not any(map(identify, children))
    refused = _run(environment, "reset")
    assert (refused.returncode, "YES=1" in refused.stderr) == (1, True)
    assert _run(environment, "reset", "--yes").returncode == 0
    assert list(Path(environment["MUSTER_STATE"]).iterdir()) == []


def _run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        stack(*words), env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _until(process: subprocess.Popen[str], words: str) -> str:
    shown = ""
    for line in process.stdout or []:
        shown += line
        if words in line:
            return shown
    raise AssertionError(shown)


def _records(environment: dict[str, str]) -> list[int]:
    files = Path(environment["MUSTER_STATE"], "run").glob("*.json")
    return [int(json.loads(file.read_text())["pid"]) for file in files]
