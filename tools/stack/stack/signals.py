"""Waiting for the end: Ctrl-C, SIGTERM or the terminal's hang-up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndRequested(BaseException):
    """Somebody wants this process to end: not an error, so no `except Exception` may swallow it."""


@contextmanager
def ends_raise() -> Iterator[None]:
    """Turn the first of the signals into an exception; the next ones no longer disturb the orderly stop."""

    def ask(_number: int, _frame: object) -> None:
        for each in ENDS:
            signal.signal(each, signal.SIG_IGN)
        raise EndRequested

    before = {each: signal.signal(each, ask) for each in ENDS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def wait_for_end() -> None:
    """Return when one of the signals arrives."""
    asked = threading.Event()
    before = {each: signal.signal(each, lambda *_: asked.set()) for each in ENDS}
    while not asked.wait(3600):
        pass
    for each, handler in before.items():
        signal.signal(each, handler)
