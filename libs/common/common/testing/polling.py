"""Waiting for what another process or the network does: with a deadline, and a failure that says what for."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
_PAUSE = 0.01  # seconds between looks


@overload
async def eventually(look: Callable[[], Awaitable[T | None]], *, within: float = ..., what: str = ...) -> T: ...


@overload
async def eventually(look: Callable[[], T | None], *, within: float = ..., what: str = ...) -> T: ...


async def eventually(look: Callable[[], Any], *, within: float = 10.0, what: str = "") -> Any:
    """The first true answer of `look`; AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = look()
        found = await answer if inspect.isawaitable(answer) else answer
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what or inspect.getsource(look).strip()}")
        await asyncio.sleep(_PAUSE)
