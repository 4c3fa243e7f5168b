"""Tasks with the same key run one after the other; all others at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial

from common.bus.ordered import OrderedTasks
from hypothesis import given, settings
from hypothesis import strategies as st


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 3)), max_size=30))
@settings(deadline=None)
def test_the_order_of_a_key_is_kept_whatever_each_one_takes(plan: list[tuple[str | None, int]]) -> None:
    begun: dict[str | None, list[int]] = defaultdict(list)
    ended: dict[str | None, list[int]] = defaultdict(list)
    running: dict[str | None, int] = defaultdict(int)

    async def work(number: int, key: str | None, yields: int) -> None:
        begun[key].append(number)
        running[key] += 1
        assert key is None or running[key] == 1
        for _ in range(yields):
            await asyncio.sleep(0)
        running[key] -= 1
        ended[key].append(number)

    async def scenario() -> None:
        tasks = OrderedTasks()
        for number, (key, yields) in enumerate(plan):
            tasks.start(key, partial(work, number, key, yields))
        assert await tasks.finish(5) == 0
        assert len(tasks) == 0

    asyncio.run(scenario())
    expected = {key: [n for n, (k, _) in enumerate(plan) if k == key] for key, _ in plan}
    assert {key: sorted(numbers) for key, numbers in ended.items()} == expected
    for key in expected.keys() - {None}:
        assert begun[key] == ended[key] == expected[key]


async def test_keys_do_not_wait_for_each_other() -> None:
    tasks, gate, done = OrderedTasks(), asyncio.Event(), asyncio.Event()

    async def other() -> None:
        done.set()

    tasks.start("a", lambda: wait_for(gate))
    tasks.start("b", other)
    await asyncio.wait_for(done.wait(), 5)
    gate.set()
    assert await tasks.finish(5) == 0


async def test_finish_cancels_what_is_left_and_counts_it() -> None:
    tasks, never = OrderedTasks(), asyncio.Event()
    for key in ("a", "a", None):
        tasks.start(key, lambda: wait_for(never))
    assert await tasks.finish(0.01) == 3
    assert len(tasks) == 0


async def test_a_key_is_forgotten_with_its_last_task() -> None:
    tasks = OrderedTasks()
    for number in range(100):
        tasks.start(f"user {number}", lambda: asyncio.sleep(0))
    await tasks.finish(5)
    assert tasks._tails == {}


async def test_work_that_is_cancelled_does_not_stop_its_followers() -> None:
    tasks, never, done = OrderedTasks(), asyncio.Event(), asyncio.Event()

    async def follower() -> None:
        done.set()

    tasks.start("a", lambda: wait_for(never))
    first = tasks._tails["a"]
    tasks.start("a", follower)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait_for(done.wait(), 5)


async def wait_for(event: asyncio.Event) -> None:
    await event.wait()
