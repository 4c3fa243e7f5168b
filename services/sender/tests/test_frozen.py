"""A sender that is stopped between intent and call (SIGSTOP, a starved machine) and wakes when all has gone on without
it.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from common import clock
from common.ids import BotId
from common.jobs import SendFinalMessage
from common.store import broadcasts, reaping, steering
from sender import heartbeat
from sender.handlers import Deliveries
from sender.journal import FRESH
from tgms.rules.patience import SILENT

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids
from .test_in_doubt import SLOT, one_sending, slotted_again
from .test_revisions import ended, revise, sent, texts

pytestmark = pytest.mark.timeout(60)
NOBODY = timedelta(seconds=8)


class Frozen:
    """A second sender, which never beat and stops when `content` is asked for, behind its intent."""

    def __init__(self, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
        self.handle: Deliveries = fleet.make("frozen")
        self._monkeypatch = monkeypatch
        self._stopped, self._goes_on = asyncio.Event(), asyncio.Event()
        self._behind_intent(self.handle, "_edition")
        self._behind_intent(self.handle._revise, "_content")
        self._task: asyncio.Task[None] | None = None

    async def begin(self, job: Any) -> None:
        """As far as it comes."""
        self._task = asyncio.create_task(self.handle(job))
        await self.stopped()

    async def stopped(self) -> None:
        """Its intent is written."""
        await asyncio.wait_for(self._stopped.wait(), 10)

    async def wake(self) -> None:
        """Just too late, by the clock that goes on while the machine is suspended."""
        assert self._task is not None
        uptime = clock.uptime
        self._monkeypatch.setattr(clock, "uptime", lambda: uptime() + FRESH)
        self._goes_on.set()
        await self._task

    def _behind_intent(self, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        async def stopping(*args: Any) -> Any:
            self._stopped.set()
            await self._goes_on.wait()
            return await real(*args)

        self._monkeypatch.setattr(owner, name, stopping)


@pytest.fixture
def frozen(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Frozen:
    return Frozen(fleet, monkeypatch)


async def slotted(fleet: Fleet) -> tuple[int, SendFinalMessage]:
    broadcast_id, job = await one_sending(fleet)
    await slotted_again(fleet)
    return broadcast_id, job


async def test_it_does_not_send_what_another_has_sent_since(fleet: Fleet, frozen: Frozen) -> None:
    broadcast_id, job = await slotted(fleet)
    await frozen.begin(job)
    later = SLOT + timedelta(seconds=60)
    async with fleet.db.transaction() as tx:
        assert await reaping.orphans(tx, NOBODY) == 1
        assert await steering.again(tx, broadcast_id, "unknown") == 1
        await tx.execute("UPDATE deliveries SET state = 'slotted', slot_at = $1", later)
    await fleet.handle(job.model_copy(update={"slot_at": later}))
    await frozen.wake()
    assert len(await fleet.sent()) == 1
    assert set((await fleet.ledger(broadcast_id)).values()) == {"sent"}


async def test_it_does_not_send_after_the_recall(fleet: Fleet, frozen: Frozen) -> None:
    broadcast_id, job = await slotted(fleet)
    await frozen.begin(job)
    async with fleet.db.transaction() as tx:
        assert await reaping.orphans(tx, NOBODY) == 1
        assert await broadcasts.cancel(tx, broadcast_id)
    await frozen.wake()
    assert await fleet.sent() == []
    assert set((await fleet.ledger(broadcast_id)).values()) == {"unknown"}


async def test_what_nobody_has_settled_meanwhile_waits_for_another_slot_and_counts_no_attempt(
    fleet: Fleet, frozen: Frozen
) -> None:
    broadcast_id, job = await slotted(fleet)
    await frozen.begin(job)
    await frozen.wake()
    [row] = await fleet.rows(broadcast_id)
    assert (row["state"], row["reason"], row["attempts"], row["unsent"]) == ("pending", "late", 0, 1)
    assert await fleet.sent() == []


async def test_an_old_edit_is_not_put_over_a_new_one(fleet: Fleet, brain: Direct, frozen: Frozen) -> None:
    [group_id] = await fleet.grow(1, BotId((await bot_ids(fleet))[0]))
    broadcast_id = await sent(fleet, [group_id], "one")
    brain.handle = frozen.begin
    await revise(fleet, broadcast_id, "edit", {"method": "editMessageText", "params": {"text": "two"}})
    await frozen.stopped()
    brain.handle = fleet.handle
    last = await revise(fleet, broadcast_id, "edit", {"method": "editMessageText", "params": {"text": "three"}})
    assert (await ended(fleet, broadcast_id, last)).items == {"done": 1}
    await frozen.wake()
    assert await texts(fleet, [group_id]) == [["three"]]


def test_what_is_still_fresh_nobody_takes_for_a_dead_senders() -> None:
    """Nothing is begun behind a beat that is older than `KNOWN`; a second for its way is more than enough."""
    assert SILENT.total_seconds() >= FRESH + heartbeat.KNOWN + 1
