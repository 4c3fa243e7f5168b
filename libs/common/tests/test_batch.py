"""Many callers, one statement."""

from __future__ import annotations

import asyncio

import pytest
from common.batch import Batch


class Work:
    """Doubles numbers; notes what came together, and how many ran at once."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = self.most = 0

    async def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.running += 1
        self.most = max(self.most, self.running)
        await self.gate.wait()
        self.running -= 1
        if 13 in items:
            raise ValueError("unlucky")
        return [2 * item for item in items]


async def test_those_who_come_together_are_done_together_and_each_gets_its_own() -> None:
    work = Work()
    batch = Batch(work, gather=0.01)
    assert await asyncio.gather(*(batch.submit(n) for n in range(5))) == [0, 2, 4, 6, 8]
    assert work.batches == [[0, 1, 2, 3, 4]]


async def test_what_comes_while_as_many_run_as_may_is_one_batch() -> None:
    work = Work()
    batch = Batch(work, gather=0.001, at_once=1)
    work.gate.clear()
    tasks = [asyncio.create_task(batch.submit(0))]
    await asyncio.sleep(0.01)
    for n in range(1, 5):
        tasks.append(asyncio.create_task(batch.submit(n)))
        await asyncio.sleep(0.005)
    work.gate.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8]
    assert (work.batches, work.most) == ([[0], [1, 2, 3, 4]], 1)


async def test_an_error_is_everybodys_and_the_next_batch_is_not_touched() -> None:
    batch = Batch(Work(), gather=0.001)
    results = await asyncio.gather(batch.submit(13), batch.submit(1), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError]
    assert await batch.submit(2) == 4


async def test_who_gives_up_does_not_disturb_the_others() -> None:
    work = Work()
    batch = Batch(work, gather=0.02)
    impatient, patient = asyncio.create_task(batch.submit(1)), asyncio.create_task(batch.submit(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == 4
    with pytest.raises(asyncio.CancelledError):
        await impatient
