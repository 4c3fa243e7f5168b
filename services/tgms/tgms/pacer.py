"""The loop that hands out slots just in time, so that what stands on the queue is due and senders are never the brake
by design.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import TypeAlias

from common.bus.publisher import Publisher
from common.errors import BrokerUnavailable, LeaseLost, StoreUnavailable, Unroutable
from common.ids import JobId
from common.jobs import ReviseMessage, SendFinalMessage
from common.queues import GROUP_MESSAGE_QUEUE
from common.records import Candidate, FreeSlot
from common.store import backlog, deliveries, in_hand, revision_items, slots
from common.store.pool import Pool, Tx
from common.telemetry.redact import describe

from tgms.leader import Leader
from tgms.rounds import timed
from tgms.rules.assign import assign
from tgms.rules.front import Front

TICK = 0.05  # seconds
AHEAD = timedelta(milliseconds=150)  # how early a delivery is on the queue; a reply may take what is free later
_log = logging.getLogger(__name__)
Pair: TypeAlias = tuple[list[FreeSlot], Candidate]


class Pacer:
    """Under the lease. A slot held for a job that could not be published comes back by the reaper."""

    def __init__(self, pool: Pool, publisher: Publisher, leader: Leader) -> None:
        self._pool = pool
        self._publisher = publisher
        self._leader = leader
        self._turn = 0
        self._front = Front()
        self._provided = 0.0
        self._passed_over = False  # what waits for its window: behind it there may be others

    async def run(self, stop: asyncio.Event) -> None:
        """Ticks at a steady beat, however long one takes; at once again behind thousands of closed windows."""
        while not stop.is_set():
            began = time.monotonic()
            if await self._leader.elected(TICK):
                await self._tick()
            with contextlib.suppress(TimeoutError):
                beat = 0.0 if self._passed_over else TICK
                await asyncio.wait_for(stop.wait(), max(0.001, beat - (time.monotonic() - began)))

    async def _tick(self) -> None:
        self._passed_over = False
        try:
            with timed("pacer"):
                jobs = await self._hand_out()
                await asyncio.gather(
                    *(self._publisher.publish(GROUP_MESSAGE_QUEUE, job, job_id=_job_id(job)) for job in jobs)
                )
        except (StoreUnavailable, BrokerUnavailable, Unroutable, LeaseLost) as error:
            _log.warning("pacer waits", extra={"error": describe(error)})

    async def _hand_out(self) -> list[SendFinalMessage | ReviseMessage]:
        async with self._pool.transaction("pacer") as tx:
            await self._leader.fence(tx)
            if time.monotonic() - self._provided > 5:
                await slots.provide(tx)
                self._provided = time.monotonic()
            sends, revisions = await backlog.kinds(tx)
            free = await slots.free(tx, AHEAD) if sends or revisions else []
            if not free:
                return []
            wanted = Counter(slot.bot_id for slot in free)
            found, first = list[Candidate](), self._front.first(self._turn)
            if sends:
                found = await deliveries.candidates(tx, wanted, AHEAD, turn=self._turn, first=first)
            found += await revision_items.candidates(tx, wanted, AHEAD) if revisions else []
            now = min(slot.free_at for slot in free)
            closed = [candidate for candidate in found if candidate.due_at > now + AHEAD]
            if closed:
                self._passed_over = await deliveries.postpone(tx, closed) > 0
            due = [candidate for candidate in found if candidate.due_at <= now + AHEAD]
            chosen = assign(free, due, turn=self._turn, first=first)
            pairs = chosen.pairs
            self._front.note(self._turn, wanted, chosen.kept)
            self._turn += 1
            if not pairs:
                return []
            held = await slots.hold(tx, _holders(pairs))
            times = await _assign(tx, [pair for pair in pairs if held.issuperset(_names(pair))])
            left = [pair for pair in pairs if pair[1].delivery_id not in times]
            if left:  # settled by others meanwhile, or a reply has one of its slots
                await slots.let_go(tx, _holders(left))
            return [_job(taken, c, times[c.delivery_id]) for taken, c in pairs if c.delivery_id in times]


async def _assign(tx: Tx, pairs: list[Pair]) -> dict[int, datetime]:
    sends = [(c, _latest(taken)) for taken, c in pairs if not c.revises]
    revisions = [(c, _latest(taken)) for taken, c in pairs if c.revises]
    times = await in_hand.assign(tx, "deliveries", sends) if sends else {}
    return times | (await in_hand.assign(tx, "revision_items", revisions) if revisions else {})


def _job(taken: list[FreeSlot], c: Candidate, at: datetime) -> SendFinalMessage | ReviseMessage:
    slot, group_id, bot_id = taken[0].slot, c.group_id, c.bot_id
    if c.revises:
        return ReviseMessage(item_id=c.delivery_id, group_id=group_id, bot_id=bot_id, slot=slot, slot_at=at)
    return SendFinalMessage(
        delivery_id=c.delivery_id,
        group_id=group_id,
        bot_id=bot_id,
        slot=slot,
        slot_at=at,
        more_slots=[slot.slot for slot in taken[1:]],
        items=c.items,
        broadcast_id=c.broadcast_id,
    )


def _names(pair: Pair) -> list[tuple[int, int]]:
    return [(slot.bot_id, slot.slot) for slot in pair[0]]


def _holders(pairs: list[Pair]) -> list[tuple[FreeSlot, str]]:
    return [(slot, str(c.delivery_id)) for taken, c in pairs for slot in taken]


def _latest(taken: list[FreeSlot]) -> datetime:
    return max(slot.free_at for slot in taken)


def _job_id(job: SendFinalMessage | ReviseMessage) -> JobId:
    return JobId(f"d:{job.delivery_id}" if isinstance(job, SendFinalMessage) else f"r:{job.item_id}")
