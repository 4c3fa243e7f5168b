"""Many callers, one statement: what is submitted while the last one runs is done together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Batch(Generic[ItemT, ResultT]):
    """`work` gets the items and returns a result for each, in order; what it raises, each of its submitters gets.

    The first item waits `gather` seconds for company; at most `at_once` batches run, so that they grow with the load.
    """

    def __init__(
        self, work: Callable[[list[ItemT]], Awaitable[list[ResultT]]], *, gather: float, at_once: int = 2
    ) -> None:
        self._work = work
        self._gather = gather
        self._turns = asyncio.Semaphore(at_once)
        self._waiting: list[tuple[ItemT, asyncio.Future[ResultT]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, item: ItemT) -> ResultT:
        """The item's own result."""
        done: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if len(self._waiting) == 1:
            task = asyncio.create_task(self._flush())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await done

    async def _flush(self) -> None:
        await asyncio.sleep(self._gather)
        async with self._turns:
            batch, self._waiting = self._waiting, []
            try:
                results = await self._work([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 (it is the submitters' to handle)
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                return
        for (_, done), result in zip(batch, results, strict=True):
            if not done.done():
                done.set_result(result)
