"""Starting and ending child processes so that none is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from stack.errors import StackError
from stack.identity import Identity, identify_child
from stack.warden import Warden, end_all, kill_tree


@dataclass(frozen=True)
class Program:
    """Everything a process needs to start and to stop, as data."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str]
    cwd: Path
    account: str | None = None  # the user it runs as, when the one who starts it is root
    polite: signal.Signals = signal.SIGTERM
    grace: float = 15.0  # seconds between the polite signal and SIGKILL


@dataclass(frozen=True)
class Child:
    """A program that runs, or has run."""

    program: Program
    popen: subprocess.Popen[bytes]
    identity: Identity

    @property
    def running(self) -> bool:
        """Whether it still runs; asking reaps it."""
        return self.popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send one signal, for instance SIGSTOP, to the process alone."""
        if self.running:
            self.popen.send_signal(number)


@dataclass
class Keeper:
    """Owns the children of this process: writes down who they are and ends them all at the end, whatever the end is."""

    run: Path  # the folder of the records
    warden: Warden = field(default_factory=Warden)
    children: list[Child] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closed: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, program: Program) -> Child:
        """Start it in a session of its own, so that the terminal's Ctrl-C reaches only the one who orchestrates."""
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with self.lock, program.log.open("ab") as log:
            if self.closed:
                raise StackError(f"{program.name} is not started any more: everything is being stopped")
            popen = subprocess.Popen(
                program.argv,
                env=dict(program.env),
                cwd=program.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=program.account,
                group=program.account,
                extra_groups=None if program.account is None else [],
            )
            identity = identify_child(popen.pid)
            child = Child(program, popen, identity)
            self.warden.watch(identity, program.polite)
            self.children.append(child)
            record(self.run, program, identity)
        return child

    def stop(self, *children: Child) -> None:
        """End them at the same time, each the way it likes, and the hard way when that takes too long."""
        grace = max((child.program.grace for child in children), default=0.0)
        end_all([(child.identity, child.program.polite) for child in children], grace)
        for child in children:
            self._reap(child)

    def kill(self, child: Child) -> None:
        """End it and everything below it with SIGKILL, as a crash would."""
        kill_tree(child.identity)
        self._reap(child)

    def close(self) -> None:
        """End all children, the youngest first, and the warden."""
        with self.lock:
            self.closed = True
        for child in reversed(tuple(self.children)):
            self.stop(child)
        self.warden.close()

    def _reap(self, child: Child) -> None:
        child.popen.wait()
        with self.lock:
            self.warden.forget(child.identity)
            if child in self.children:
                self.children.remove(child)
                record_of(self.run, child.program.name).unlink(missing_ok=True)


def wait_until(ready: Callable[[], bool], child: Child, *, timeout: float) -> None:
    """Wait until `ready()` holds; an error with the log's path when the process ends first or takes too long."""
    what = child.program.name
    deadline = time.monotonic() + timeout
    while not ready():
        if not child.running:
            raise StackError(f"{what} ended with exit code {child.popen.returncode}", log=child.program.log)
        if time.monotonic() > deadline:
            raise StackError(f"{what} did not answer within {timeout:.0f} s", log=child.program.log)
        time.sleep(0.05)


def record_of(run: Path, name: str) -> Path:
    """Where a program's record is."""
    return run / f"{name}.json"


def record(run: Path, program: Program, identity: Identity) -> None:
    """Write down who runs, for the one who has to clean up after a crash."""
    run.mkdir(parents=True, exist_ok=True)
    text = {"name": program.name, "pid": identity.pid, "started": identity.started, "signal": int(program.polite)}
    record_of(run, program.name).write_text(json.dumps(text))


def sweep(run: Path) -> list[str]:
    """End whatever the records name and still runs; the names of what had to be ended."""
    left: list[tuple[Identity, signal.Signals]] = []
    names: list[str] = []
    for file in sorted(run.glob("*.json")):
        saved = json.loads(file.read_text())
        who = Identity(saved["pid"], saved["started"])
        if who.alive():
            left.append((who, signal.Signals(saved["signal"])))
            names.append(saved["name"])
        file.unlink(missing_ok=True)
    end_all(left)
    return names
