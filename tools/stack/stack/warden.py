"""The last one standing: a process that ends what its parent started when the parent is gone, even by kill -9.

It reads JSON lines from its standard input. As long as the pipe is open it only remembers; when the parent ends, in
whatever way, the kernel closes the pipe. A supervisor instead of PR_SET_PDEATHSIG, because that one is forgotten when a
program changes its user, follows the thread that started the process and does not reach grandchildren.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from stack.identity import Identity, descendants, identify

GRACE = 4.0  # seconds between the polite signal and SIGKILL, when nobody is left to see the difference
ORPHANS = 0.5  # seconds for what a process leaves behind when it has ended in good order


class Warden:
    """The parent's end of the pipe."""

    def __init__(self) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "stack.warden"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            text=True,
        )

    def watch(self, who: Identity, polite: signal.Signals) -> None:
        """End that process and all below it when this one is gone."""
        self._tell({"watch": [who.pid, who.started], "signal": int(polite)})

    def forget(self, who: Identity) -> None:
        """It has ended already."""
        self._tell({"forget": who.pid})

    def afterwards(self, command: Sequence[str]) -> None:
        """Run this when everything has ended: what no signal reaches, such as a container."""
        self._tell({"run": list(command)})

    def remove(self, folder: Path) -> None:
        """Delete that folder when everything has ended."""
        self._tell({"remove": str(folder)})

    def close(self) -> None:
        """Let it do what is still to do, and wait for it."""
        if self.popen.stdin is not None and not self.popen.stdin.closed:
            self.popen.stdin.close()
        self.popen.wait()

    def _tell(self, word: dict[str, Any]) -> None:
        if self.popen.stdin is None or self.popen.stdin.closed:
            return
        self.popen.stdin.write(json.dumps(word) + "\n")
        self.popen.stdin.flush()


def stand_guard(words: IO[str]) -> None:
    """Remember until the pipe closes, then clean up."""
    watched: dict[int, tuple[Identity, signal.Signals]] = {}
    commands: list[list[str]] = []
    folders: list[str] = []
    for word in map(json.loads, words):
        if "watch" in word:
            who = Identity(*word["watch"])
            watched[who.pid] = (who, signal.Signals(word["signal"]))
        elif "forget" in word:
            watched.pop(word["forget"], None)
        elif "run" in word:
            commands.append(word["run"])
        elif "remove" in word:
            folders.append(word["remove"])
    end_all(list(watched.values()))
    for command in reversed(commands):  # what was begun last is undone first
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def end_all(watched: Sequence[tuple[Identity, signal.Signals]], grace: float = GRACE) -> None:
    """Ask each process politely, then kill what is left of it and of everything below it."""
    living = [(who, polite) for who, polite in watched if who.alive()]
    families = [identity for who, _ in living for identity in _family(who)]
    for who, polite in reversed(living):
        _signal(who, polite)
    _wait_for_end([who for who, _ in living], grace)
    _wait_for_end(families, ORPHANS)
    for who in families:
        _signal(who, signal.SIGKILL)


def _wait_for_end(processes: Sequence[Identity], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(who.alive() for who in processes):
        time.sleep(0.02)


def kill_tree(who: Identity) -> None:
    """SIGKILL for a process and everything below it, at one blow."""
    for identity in _family(who):
        _signal(identity, signal.SIGKILL)


def _family(who: Identity) -> Iterator[Identity]:
    # Listed before the first signal: what loses its parent could not be found below it any more.
    return iter([who, *filter(None, map(identify, descendants(who.pid)))])


def _signal(who: Identity, number: signal.Signals) -> None:
    if who.alive():
        try:
            os.kill(who.pid, number)
        except ProcessLookupError:
            return


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stand_guard(sys.stdin)
