"""Intents and outcomes of this process, in batches: one transaction for what came within a few milliseconds.

The same for sends and for what is done to them later; a subclass says which rows.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Final, Generic, TypeVar

from common.batch import Batch
from common.dbclock import DatabaseClock
from common.errors import StoreUnavailable
from common.jobs import ReviseMessage, SendFinalMessage
from common.store import in_hand, slots
from common.store.in_hand import Key
from common.store.pool import Pool, Tx
from common.store.slots import Used
from common.telemetry.redact import describe

from sender.heartbeat import Life

UNWRITABLE: Final = "Telegram's answer could not be written"
_GATHER = 0.004  # seconds
FRESH = 4.0  # seconds from before an intent to its call: later, others may have taken its owner for dead
_AGAIN = 0.5  # seconds between attempts to write an outcome
_log = logging.getLogger(__name__)

JobT = TypeVar("JobT", bound=SendFinalMessage | ReviseMessage)
BegunT = TypeVar("BegunT")
EndedT = TypeVar("EndedT")


class Journal(ABC, Generic[JobT, BegunT, EndedT]):
    """One a process: while it beats, what it has begun is not touched by others."""

    rows: ClassVar[in_hand.Ledger]

    def __init__(self, pool: Pool, clock: DatabaseClock, life: Life) -> None:
        self._pool = pool
        self._clock = clock
        self.life = life
        self._intents = Batch(self._begin, gather=_GATHER)
        # One at a time, and so the larger: nobody waits for an outcome as a call waits for its intent.
        self._outcomes = Batch(self._settle, gather=_GATHER, at_once=1)
        self._unused = Batch(self._give_back, gather=_GATHER)
        self._withdrawals = Batch(self._withdraw, gather=_GATHER)
        self._hands = Counter[Key]()  # copies of each job in this process
        self._doubted = set[Key]()

    @abstractmethod
    def _row(self, job: JobT) -> int:
        """Its number."""

    @abstractmethod
    async def _write_intents(self, tx: Tx, jobs: Sequence[JobT]) -> Mapping[int, BegunT]:
        """By row: those that still have this very slot."""

    @abstractmethod
    async def _write_outcomes(self, tx: Tx, batch: Sequence[EndedT]) -> None:
        """With what follows from them."""

    @abstractmethod
    def _unwritable(self, ended: EndedT) -> EndedT:
        """The same attempt, of which nobody knows how it ended."""

    @abstractmethod
    def _unused_slots(self, job: JobT, free_at: datetime) -> Used:
        """Given back without a call."""

    async def begin(self, job: JobT) -> BegunT | None:
        """None for a stale job: its slot is given back, its row says what is true. HandBack where we are to go."""
        await self.life.goes_on()
        key, begun = self._key(job), None
        self._hands[key] += 1
        try:
            begun = await self._intents.submit(job)
            if begun is None:
                await self.give_back(job)
        except StoreUnavailable:
            self._doubted.add(key)
            raise
        finally:
            if begun is None:
                await self._let_go(job)
        return begun

    async def give_back(self, job: JobT) -> None:
        """Nothing was begun: its slot is free for others."""
        await self._unused.submit(job)

    async def withdraw(self, job: JobT) -> None:
        """Nothing was sent of what this process has begun."""
        self._doubted.add(self._key(job))
        await self._let_go(job)

    async def settle(self, job: JobT, ended: EndedT) -> None:
        """Until it is written: this process alone knows how the attempt ended."""
        while True:
            try:
                await self._outcomes.submit(ended)
            except StoreUnavailable as error:
                _log.warning("an outcome waits", extra={"row": self._row(job), "error": describe(error)})
                await asyncio.sleep(_AGAIN)
            else:
                break
        await self._let_go(job)

    def _key(self, job: JobT) -> Key:
        return self._row(job), job.slot_at

    async def _let_go(self, job: JobT) -> None:
        """The last copy of a job in hand. An intent whose commit is in doubt may be there: with an owner who lives, it
        would stay `sending` for ever.
        """
        key = self._key(job)
        self._hands[key] -= 1
        if self._hands[key]:
            return
        del self._hands[key]
        if key in self._doubted:
            self._doubted.discard(key)
            await self._withdraw_surely(job)

    async def _withdraw_surely(self, job: JobT) -> None:
        while True:
            try:
                await self._withdrawals.submit(job)
            except StoreUnavailable:
                await asyncio.sleep(_AGAIN)
            else:
                return

    async def _begin(self, jobs: list[JobT]) -> list[BegunT | None]:
        async with self._pool.transaction("intents") as tx:
            begun = dict(await self._write_intents(tx, jobs))
        return [begun.pop(self._row(job), None) for job in jobs]  # a job that came twice is begun once

    async def _give_back(self, jobs: list[JobT]) -> list[None]:
        now = self._clock.now()
        async with self._pool.transaction("slots back") as tx:
            free = await in_hand.drop(tx, self.rows, [self._key(job) for job in jobs])
            await slots.release(tx, [self._unused_slots(job, now) for job in jobs if self._row(job) in free])
        return [None] * len(jobs)

    async def _withdraw(self, jobs: list[JobT]) -> list[None]:
        async with self._pool.transaction("withdraw") as tx:
            await in_hand.withdraw(tx, self.rows, [self._key(job) for job in jobs], self.life.owner)
        return [None] * len(jobs)

    async def _settle(self, batch: list[EndedT]) -> list[None]:
        try:
            async with self._pool.transaction("outcomes") as tx:
                await self._write_outcomes(tx, batch)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 (one of them can't be written: it must not take the others along)
            if len(batch) > 1:
                for ended in batch:
                    await self._settle([ended])
            else:
                _log.exception("an outcome can't be written")
                await self._settle_as_unknown(batch[0])
        return [None] * len(batch)

    async def _settle_as_unknown(self, ended: EndedT) -> None:
        async with self._pool.transaction("outcomes") as tx:
            await self._write_outcomes(tx, [self._unwritable(ended)])
