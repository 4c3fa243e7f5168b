"""One state directory, one process that runs it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.errors import StackError
from stack.identity import Identity, identify
from stack.warden import kill_tree

PATIENCE = 60.0  # seconds that an orderly stop may take


class AlreadyRunningError(StackError):
    """Another process holds the state directory."""


@contextmanager
def hold(state: Path) -> Iterator[None]:
    """Own the state directory; the kernel gives it free when this process ends, in whatever way."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"{state} is in use by another process") from None
        lock.truncate(0)
        me = identify(os.getpid())
        if me is not None:
            lock.write(json.dumps([me.pid, me.started]))
            lock.flush()
        yield
        lock.truncate(0)


def holder_of(state: Path) -> Identity | None:
    """The process that runs the state directory now."""
    file = state / "lock"
    text = file.read_text() if file.exists() else ""
    who = Identity(*json.loads(text)) if text else None
    return who if who is not None and who.alive() else None


def end_holder(state: Path) -> bool:
    """Ask the running process to stop in good order, and insist after a while; False when none runs."""
    who = holder_of(state)
    if who is None:
        return False
    os.kill(who.pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while who.alive():
        if time.monotonic() > deadline:
            kill_tree(who)
        time.sleep(0.05)
    return True
