"""A loop of the leader goes on through outages, and tells of each once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from common.errors import StoreUnavailable
from common.testing.polling import eventually
from tgms.rounds import rounds


class Elected:
    """A leader as `rounds` knows it."""

    def __init__(self, *, elected: bool = True) -> None:
        self.is_elected = elected

    async def elected(self, timeout: float) -> bool:  # noqa: ASYNC109 (as the leader's own)
        """At once."""
        return self.is_elected


async def test_an_outage_is_told_once_and_the_work_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    ends = [None, StoreUnavailable(), StoreUnavailable(), None, StoreUnavailable(), None]
    done, stop = 0, asyncio.Event()

    async def work() -> None:
        nonlocal done
        done += 1
        trouble = ends[done - 1] if done <= len(ends) else None
        if trouble is not None:
            raise trouble

    leader: Any = Elected()
    running = asyncio.create_task(rounds("reaper", work, stop, leader, interval=0.001))
    await eventually(lambda: done > len(ends))
    stop.set()
    await running
    assert [record.getMessage() for record in caplog.records] == ["reaper waits"] * 2


async def test_a_surprise_ends_it_and_who_does_not_lead_does_nothing() -> None:
    async def work() -> None:
        raise ValueError("canary")

    stop, leader, follower = asyncio.Event(), Elected(), Elected(elected=False)
    ours: Any = leader
    with pytest.raises(ValueError, match="canary"):
        await rounds("reaper", work, stop, ours, interval=0.001)
    theirs: Any = follower
    waiting = asyncio.create_task(rounds("reaper", work, stop, theirs, interval=0.001))
    await asyncio.sleep(0.02)
    stop.set()
    await waiting
