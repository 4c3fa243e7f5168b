"""Deletes and edits sent messages: as a send, with its intent before and its outcome after the call."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from common import clock
from common.congestion import Refusal
from common.errors import StoreUnavailable
from common.ids import BotId, ChatId
from common.jobs import ReviseMessage
from common.records import BegunItem
from common.registry import BotRegistry
from common.send_window import SendWindow
from common.store import congestion, moving, revision_items, revisions, slots
from common.store.pool import Pool, Tx
from common.store.revision_items import ItemOutcome
from common.store.slots import Used
from common.telegram.client import BotAccess, BotApi
from common.telegram.errors import TelegramError, TokenRevoked, Unknown

from sender.heartbeat import Life
from sender.journal import FRESH, UNWRITABLE, Journal
from sender.rules import revising
from sender.rules.head_start import HeadStart
from sender.rules.revising import Verdict

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
    """One a process, with the sends' life and window."""

    def __init__(
        self,
        pool: Pool,
        api: BotApi,
        *,
        registry: BotRegistry,
        window: SendWindow,
        life: Life,
    ) -> None:
        self._pool = pool
        self._api = api
        self._registry = registry
        self._window = window
        self._clock = window.clock
        self._head_start = HeadStart()
        self._contents: dict[int, dict[str, Any]] = {}
        self._items = _Items(pool, window.clock, life)

    async def __call__(self, job: ReviseMessage) -> None:
        """A stale job gives its slot back: its row says what is true."""
        access = await self._registry.access(job.bot_id)
        await self._clock.sleep_until(job.slot_at, early=self._head_start.value)
        await self._items.life.goes_on()  # not counted: it may take long
        asked = clock.uptime()
        item = await self._items.begin(job)
        self._head_start.add(clock.uptime() - asked)
        if item is None:
            return
        try:
            ended = await self._attempt(job, access, item, asked=asked)
        except StoreUnavailable:
            await self._items.withdraw(job)
            raise
        except Exception:  # noqa: BLE001 (whatever it is: the intent must not stay)
            _log.exception("a revision has failed by itself", extra={"item_id": job.item_id})
            ended = _Ended(job, item, revising.after(Unknown(), item), self._window.free_at())
        await self._items.settle(job, ended)

    async def _attempt(self, job: ReviseMessage, access: BotAccess, item: BegunItem, *, asked: float) -> _Ended:
        """StoreUnavailable where nothing was asked of Telegram yet."""
        content = await self._content(item)
        verdict = revising.before(item, content)
        if verdict is not None:
            return _Ended(job, item, verdict, self._clock.now())
        await self._clock.sleep_until(job.slot_at)
        verdict = await self._call(access, content, item, before=asked + FRESH)
        return _Ended(job, item, verdict, self._window.free_at())

    async def _call(self, access: BotAccess, content: dict[str, Any], item: BegunItem, *, before: float) -> Verdict:
        method, params = revising.call(content, item)
        started, error = time.monotonic(), None
        try:
            await self._api.call(access, method, params, before=before)
            self._window.answered(time.monotonic() - started)
        except TelegramError as failure:
            error = failure
        if isinstance(error, TokenRevoked):
            with suppress(StoreUnavailable):  # noted at the next attempt; this one's end must be written in any case
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


class _Items(Journal[ReviseMessage, BegunItem, _Ended]):
    """Of revisions."""

    rows = "revision_items"

    def _row(self, job: ReviseMessage) -> int:
        return job.item_id

    async def _write_intents(self, tx: Tx, jobs: Sequence[ReviseMessage]) -> Mapping[int, BegunItem]:
        keys = [self._key(job) for job in jobs]
        return {row.item_id: row for row in await revision_items.begin(tx, keys, self.life.owner)}

    async def _write_outcomes(self, tx: Tx, batch: Sequence[_Ended]) -> None:
        written = await revision_items.settle(tx, [_outcome(ended) for ended in batch])
        own = [ended for ended in batch if ended.item.item_id in written]
        await slots.release(tx, [_used(ended.job, ended.free_at) for ended in own])
        for ended in batch:
            await _consequences(tx, ended)
        await congestion.note(tx, [refusal for ended in batch for refusal in _refusals(ended)])

    def _unwritable(self, ended: _Ended) -> _Ended:
        return replace(ended, verdict=Verdict("failed", UNWRITABLE))

    def _unused_slots(self, job: ReviseMessage, free_at: datetime) -> Used:
        return _used(job, free_at, items=0)


async def _consequences(tx: Tx, ended: _Ended) -> None:
    """The rare ones, one by one."""
    verdict, item = ended.verdict, ended.item
    if verdict.migrated_to is not None:
        await moving.move(tx, item.chat_id, ChatId(verdict.migrated_to))
    if verdict.chat_flood is not None:
        await slots.flood_chat(tx, item.group_id, verdict.chat_flood)
    if verdict.stop:
        await revisions.stop(tx, item.revision_id, f"content: {verdict.reason}")


def _refusals(ended: _Ended) -> list[Refusal]:
    wait = ended.verdict.chat_flood or ended.verdict.bot_flood
    return [] if wait is None else [Refusal(BotId(ended.item.bot_id), ended.item.chat_id, wait)]


def _outcome(ended: _Ended) -> ItemOutcome:
    verdict = ended.verdict
    return ItemOutcome(
        ended.item.item_id, ended.job.slot_at, verdict.state, verdict.reason, verdict.delay, verdict.unsent
    )


def _used(job: ReviseMessage, free: datetime, *, items: int = 1) -> Used:
    return Used(job.item_id, job.group_id, job.bot_id, [job.slot], free, items)
