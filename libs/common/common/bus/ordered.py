"""Tasks that run at once, save those with the same key: they run one after the other, in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class OrderedTasks:
    """Holds a strong reference to each task, and knows when none is left."""

    def __init__(self) -> None:
        self._tails: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        """Running and waiting ones."""
        return len(self._tasks)

    def start(self, key: str | None, work: Callable[[], Awaitable[None]]) -> None:
        """`work` must not raise: its errors are settled inside."""
        previous = self._tails.get(key) if key is not None else None
        task = asyncio.create_task(_after(previous, work))
        self._tasks.add(task)
        self._empty.clear()
        if key is not None:
            self._tails[key] = task
        task.add_done_callback(lambda done: self._finished(key, done))

    async def finish(self, timeout: float) -> int:  # noqa: ASYNC109 (what is left then is cancelled, not raised)
        """Waits for all; cancels what is left after `timeout` seconds and returns how many that were."""
        try:
            async with asyncio.timeout(timeout):
                await self._empty.wait()
        except TimeoutError:
            left = list(self._tasks)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            return len(left)
        return 0

    def _finished(self, key: str | None, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if key is not None and self._tails.get(key) is task:
            del self._tails[key]
        if not self._tasks:
            self._empty.set()


async def _after(previous: asyncio.Task[None] | None, work: Callable[[], Awaitable[None]]) -> None:
    if previous is not None and not previous.done():
        await asyncio.wait((previous,))
    await work()
