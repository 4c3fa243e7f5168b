"""One delivery: wait for the slot, write the intent, send, write the outcome, acknowledge."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timedelta
from typing import Any

from common.batch import Batch
from common.dbclock import DatabaseClock
from common.errors import StoreUnavailable
from common.jobs import GroupMessageJob
from common.registry import BotRegistry
from common.store import deliveries, slots
from common.store.deliveries import Begun, Outcome
from common.store.pool import Pool
from common.store.slots import Used
from common.telegram.client import BotApi
from common.telegram.errors import TelegramError
from sender.rules.window import RoundTrips, free_at

_EARLY = timedelta(milliseconds=20)  # before the slot: the intent's own commit
_GATHER = 0.004  # seconds
_log = logging.getLogger(__name__)


class Deliveries:
    """The handler of group_message_queue; intents and outcomes are written in batches."""

    def __init__(self, pool: Pool, api: BotApi, registry: BotRegistry, clock: DatabaseClock, owner: str) -> None:
        self._pool = pool
        self._api = api
        self._registry = registry
        self._clock = clock
        self._owner = owner
        self._trips = RoundTrips()
        self._intents = Batch(self._begin, gather=_GATHER)
        self._outcomes = Batch(self._settle, gather=_GATHER)
        self._contents: dict[int, dict[str, Any]] = {}

    async def __call__(self, job: GroupMessageJob) -> None:
        """A job whose row says something else is stale and dropped."""
        access = await self._registry.access(job.bot_id)
        await self._clock.sleep_until(job.slot_at, early=_EARLY)
        begun = await self._intents.submit(job)
        if begun is None:
            return
        content = await self._content(begun.broadcast_id)
        await self._clock.sleep_until(job.slot_at)
        started = time.monotonic()
        outcome = await self._send(access, begun, content)
        self._trips.add(time.monotonic() - started)
        used = Used(begun.delivery_id, begun.group_id, job.bot_id, job.slot, free_at(self._clock.now(), self._trips.floor))
        while True:
            try:
                await self._outcomes.submit((outcome, used))
            except StoreUnavailable:
                await asyncio.sleep(0.5)
            else:
                return

    async def _send(self, access: Any, begun: Begun, content: dict[str, Any]) -> Outcome:
        try:
            result = await self._api.call(access, content["method"], {"chat_id": begun.chat_id, **content["params"]})
        except TelegramError as error:
            return Outcome(begun.delivery_id, "failed", reason=error.outcome)
        return Outcome(begun.delivery_id, "sent", [result["message_id"]])

    async def _content(self, broadcast_id: int) -> dict[str, Any]:
        if broadcast_id not in self._contents:
            async with self._pool.transaction("content") as tx:
                self._contents[broadcast_id] = await deliveries.content(tx, broadcast_id)
        return self._contents[broadcast_id]

    async def _begin(self, jobs: list[GroupMessageJob]) -> list[Begun | None]:
        async with self._pool.transaction("intents") as tx:
            rows = await deliveries.begin(tx, [(job.delivery_id, job.slot_at) for job in jobs], self._owner)
        begun = {row.delivery_id: row for row in rows}
        return [begun.get(job.delivery_id) for job in jobs]

    async def _settle(self, items: list[tuple[Outcome, Used]]) -> list[None]:
        async with self._pool.transaction("outcomes") as tx:
            await deliveries.settle(tx, [outcome for outcome, _ in items])
            await slots.release(tx, [used for _, used in items])
        return [None] * len(items)
