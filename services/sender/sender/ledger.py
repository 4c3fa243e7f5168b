"""Intents and outcomes of this process, written in batches: one transaction for what came within a few milliseconds."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.batch import Batch
from common.dbclock import DatabaseClock
from common.errors import StoreUnavailable
from common.ids import BotId, ChatId
from common.jobs import SendFinalMessage
from common.records import Begun
from common.store import broadcasts, deliveries, group_states, groups, moving, slots
from common.store.deliveries import Outcome
from common.store.groups import Note
from common.store.pool import Pool, Tx
from common.store.slots import Used
from common.telemetry.redact import describe

from sender.rules.outcomes import Decision, Progress, onward

_GATHER = 0.004  # seconds
_AGAIN = 0.5  # seconds between attempts to write an outcome
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """One attempt, what was decided of it, and when its slot is free again."""

    job: SendFinalMessage
    begun: Begun
    decision: Decision
    message_ids: tuple[int, ...]
    free_at: datetime
    progress: Progress


class Ledger:
    """One a process, named by `owner`: while it beats, what it has begun is not touched by others."""

    def __init__(self, pool: Pool, clock: DatabaseClock, owner: str) -> None:
        self._pool = pool
        self._clock = clock
        self.owner = owner
        self._intents = Batch(self._begin, gather=_GATHER)
        self._outcomes = Batch(self._settle, gather=_GATHER)
        self._unused = Batch(self._give_back, gather=_GATHER)
        self._withdrawals = Batch(self._withdraw, gather=_GATHER)
        self._hands = Counter[tuple[int, datetime]]()  # copies of each job in this process
        self._doubted = set[tuple[int, datetime]]()

    async def begin(self, job: SendFinalMessage) -> Begun | None:
        """None for a stale job: its slot is given back, its row says what is true."""
        key, begun = (job.delivery_id, job.slot_at), None
        self._hands[key] += 1
        try:
            begun = await self._intents.submit(job)
            if begun is None:
                await self._unused.submit(job)
        except StoreUnavailable:
            self._doubted.add(key)
            raise
        finally:
            if begun is None:
                await self._let_go(job)
        return begun

    async def put_off(self, job: SendFinalMessage, delay: timedelta) -> None:
        """Nothing was begun: the delivery waits for another slot, and this one is free."""
        async with self._pool.transaction("put off") as tx:
            await deliveries.put_off(tx, [(job.delivery_id, job.slot_at)], delay)
        await self._unused.submit(job)

    async def withdraw(self, job: SendFinalMessage) -> None:
        """Nothing was sent of what this process has begun."""
        self._doubted.add((job.delivery_id, job.slot_at))
        await self._let_go(job)

    async def _let_go(self, job: SendFinalMessage) -> None:
        """The last copy of a job in hand. An intent whose commit is in doubt may be there: with an owner who lives, it
        would stay `sending` for ever.
        """
        key = (job.delivery_id, job.slot_at)
        self._hands[key] -= 1
        if self._hands[key]:
            return
        del self._hands[key]
        if key in self._doubted:
            self._doubted.discard(key)
            await self._withdraw_surely(job)

    async def _withdraw_surely(self, job: SendFinalMessage) -> None:
        while True:
            try:
                await self._withdrawals.submit(job)
            except StoreUnavailable:
                await asyncio.sleep(_AGAIN)
            else:
                return

    async def settle(self, ended: Ended) -> None:
        """Until it is written: this process alone knows how the attempt ended."""
        while True:
            try:
                await self._outcomes.submit(ended)
            except StoreUnavailable as error:
                _log.warning(
                    "an outcome waits", extra={"delivery_id": ended.begun.delivery_id, "error": describe(error)}
                )
                await asyncio.sleep(_AGAIN)
            else:
                break
        await self._let_go(ended.job)

    async def _begin(self, jobs: list[SendFinalMessage]) -> list[Begun | None]:
        async with self._pool.transaction("intents") as tx:
            rows = await deliveries.begin(tx, [(job.delivery_id, job.slot_at) for job in jobs], self.owner)
        begun = {row.delivery_id: row for row in rows}
        return [begun.pop(job.delivery_id, None) for job in jobs]  # a job that came twice is begun once

    async def _give_back(self, jobs: list[SendFinalMessage]) -> list[None]:
        now = self._clock.now()
        async with self._pool.transaction("slots back") as tx:
            taken = await deliveries.drop(tx, [(job.delivery_id, job.slot_at) for job in jobs])
            await slots.release(tx, [_slots(job, now, items=0) for job in jobs if job.delivery_id not in taken])
        return [None] * len(jobs)

    async def _withdraw(self, jobs: list[SendFinalMessage]) -> list[None]:
        async with self._pool.transaction("withdraw") as tx:
            await deliveries.withdraw(tx, [(job.delivery_id, job.slot_at) for job in jobs], self.owner)
        return [None] * len(jobs)

    async def _settle(self, batch: list[Ended]) -> list[None]:
        async with self._pool.transaction("outcomes") as tx:
            written = await deliveries.settle(tx, [_outcome(ended) for ended in batch])
            own = [ended for ended in batch if ended.begun.delivery_id in written]
            await slots.release(tx, [_used(ended) for ended in own])
            await groups.note(tx, [_note(e) for e in own if e.decision.state == "sent" or e.decision.group_failed])
            for ended in batch:  # also of an attempt that was given up meanwhile: it says what is true
                await _consequences(tx, ended)
        return [None] * len(batch)


async def _consequences(tx: Tx, ended: Ended) -> None:
    """The rare ones, one by one."""
    decision, begun = ended.decision, ended.begun
    if decision.group_phase == "lost":
        await group_states.fail_pending(tx, [begun.group_id], "the group is lost")
    if decision.migrated_to is not None:
        await moving.move(tx, begun.chat_id, ChatId(decision.migrated_to))
    if decision.chat_flood is not None:
        await slots.flood_chat(tx, begun.group_id, decision.chat_flood)
    if decision.bot_flood is not None:
        await slots.flood_bot(tx, begun.bot_id, decision.bot_flood)
    if decision.pause:
        await broadcasts.pause(tx, begun.broadcast_id, f"content: {decision.reason}")


def _outcome(ended: Ended) -> Outcome:
    begun, progress = ended.begun, ended.progress
    decision, done = onward(ended.decision, progress)
    filled = {"title": begun.title, "variables": begun.variables} if progress.parts > 1 else None
    return Outcome(
        begun.delivery_id,
        ended.job.slot_at,
        decision.state,
        ended.message_ids,
        decision.reason,
        decision.delay,
        progress.parts,
        done,
        filled,
    )


def _used(ended: Ended) -> Used:
    return _slots(ended.job, ended.free_at, items=ended.job.items)


def _slots(job: SendFinalMessage, free_at: datetime, *, items: int) -> Used:
    return Used(job.delivery_id, job.group_id, BotId(job.bot_id), [job.slot, *job.more_slots], free_at, items)


def _note(ended: Ended) -> Note:
    decision = ended.decision
    return Note(
        ended.begun.group_id, decision.group_failed, decision.reason, decision.group_health, decision.group_phase
    )
