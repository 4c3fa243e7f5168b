"""Deletes and edits sent messages: as a send, with its intent before and its outcome after the call."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.batch import Batch
from common.dbclock import DatabaseClock
from common.errors import StoreUnavailable
from common.ids import ChatId
from common.jobs import ReviseMessage
from common.records import BegunItem
from common.registry import BotRegistry
from common.store import moving, revision_items, revisions, slots
from common.store.pool import Pool, Tx
from common.store.revision_items import ItemOutcome
from common.store.slots import Used
from common.telegram.client import BotAccess, BotApi
from common.telegram.errors import TelegramError, TokenRevoked
from common.telemetry.redact import describe
from common.window import RoundTrips, free_at

from sender.rules import revising
from sender.rules.head_start import HeadStart
from sender.rules.revising import Verdict

_GATHER = 0.004  # seconds
_AGAIN = 0.5  # seconds between attempts to write an outcome
_REMEMBERED = 100  # contents of edits, which never change
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Ended:
    """One attempt, what it means, and when its slot is free again."""

    job: ReviseMessage
    item: BegunItem
    verdict: Verdict
    free_at: datetime


class Revisions:
    """One a process, with the sends' owner and round trips."""

    def __init__(
        self,
        pool: Pool,
        api: BotApi,
        *,
        registry: BotRegistry,
        clock: DatabaseClock,
        owner: str,
        trips: RoundTrips,
    ) -> None:
        self._pool = pool
        self._api = api
        self._registry = registry
        self._clock = clock
        self._owner = owner
        self._trips = trips
        self._head_start = HeadStart()
        self._contents: dict[int, dict[str, Any]] = {}
        self._intents = Batch(self._begin, gather=_GATHER)
        self._outcomes = Batch(self._settle, gather=_GATHER)
        self._unused = Batch(self._give_back, gather=_GATHER)

    async def __call__(self, job: ReviseMessage) -> None:
        """A stale job gives its slot back: its row says what is true."""
        access = await self._registry.access(job.bot_id)
        await self._clock.sleep_until(job.slot_at, early=self._head_start.value)
        asked = time.monotonic()
        item = await self._intents.submit(job)
        self._head_start.add(time.monotonic() - asked)
        if item is None:
            await self._unused.submit(job)
            return
        content = await self._content(item)
        verdict = revising.before(item, content)
        if verdict is not None:
            await self._write(_Ended(job, item, verdict, self._clock.now()))
            return
        await self._clock.sleep_until(job.slot_at)
        verdict = await self._call(access, content, item)
        await self._write(_Ended(job, item, verdict, free_at(self._clock.latest(), self._trips.floor)))

    async def _call(self, access: BotAccess, content: dict[str, Any], item: BegunItem) -> Verdict:
        method, params = revising.call(content, item)
        started, error = time.monotonic(), None
        try:
            await self._api.call(access, method, params)
        except TelegramError as failure:
            error = failure
        ended = time.monotonic()
        self._trips.add(ended - started, now=ended)
        if isinstance(error, TokenRevoked):
            await self._registry.revoked(access)
        return revising.after(error, item)

    async def _content(self, item: BegunItem) -> dict[str, Any]:
        if item.kind == "recall":
            return {}
        found = self._contents.get(item.revision_id)
        if found is None:
            async with self._pool.transaction("content") as tx:
                found = await revisions.content(tx, item.revision_id)
            if len(self._contents) >= _REMEMBERED:
                self._contents.pop(next(iter(self._contents)))
            self._contents[item.revision_id] = found
        return found

    async def _write(self, ended: _Ended) -> None:
        """Until it is written: this process alone knows how the attempt ended."""
        while True:
            try:
                await self._outcomes.submit(ended)
            except StoreUnavailable as error:
                _log.warning("an outcome waits", extra={"item_id": ended.item.item_id, "error": describe(error)})
                await asyncio.sleep(_AGAIN)
            else:
                return

    async def _begin(self, jobs: list[ReviseMessage]) -> list[BegunItem | None]:
        async with self._pool.transaction("intents") as tx:
            rows = await revision_items.begin(tx, [(job.item_id, job.slot_at) for job in jobs], self._owner)
        begun = {row.item_id: row for row in rows}
        return [begun.pop(job.item_id, None) for job in jobs]  # a job that came twice is begun once

    async def _give_back(self, jobs: list[ReviseMessage]) -> list[None]:
        now = self._clock.now()
        async with self._pool.transaction("slots back") as tx:
            used = await revision_items.sending(tx, [job.item_id for job in jobs])  # by the same job's other copy
            await slots.release(tx, [_used(job, now) for job in jobs if job.item_id not in used])
        return [None] * len(jobs)

    async def _settle(self, batch: list[_Ended]) -> list[None]:
        async with self._pool.transaction("outcomes") as tx:
            await revision_items.settle(tx, [_outcome(ended) for ended in batch])
            await slots.release(tx, [_used(ended.job, ended.free_at) for ended in batch])
            for ended in batch:
                await _consequences(tx, ended)
        return [None] * len(batch)


async def _consequences(tx: Tx, ended: _Ended) -> None:
    """The rare ones, one by one."""
    verdict, item = ended.verdict, ended.item
    if verdict.migrated_to is not None:
        await moving.move(tx, item.chat_id, ChatId(verdict.migrated_to))
    if verdict.chat_flood is not None:
        await slots.flood_chat(tx, item.group_id, verdict.chat_flood)
    if verdict.bot_flood is not None:
        await slots.flood_bot(tx, item.bot_id, verdict.bot_flood)
    if verdict.stop:
        await revisions.stop(tx, item.revision_id, f"content: {verdict.reason}")


def _outcome(ended: _Ended) -> ItemOutcome:
    verdict = ended.verdict
    return ItemOutcome(ended.item.item_id, verdict.state, verdict.reason, verdict.delay)


def _used(job: ReviseMessage, free: datetime) -> Used:
    return Used(job.item_id, job.group_id, job.bot_id, [job.slot], free)
