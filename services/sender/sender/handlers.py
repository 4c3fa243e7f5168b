"""Plans broadcasts and sends deliveries: wait for the slot, write the intent, send, write the outcome, acknowledge."""

from __future__ import annotations

import time
from typing import Any, assert_never

from common.dbclock import DatabaseClock
from common.jobs import GroupMessageJob, PlanBroadcast, SendFinalMessage
from common.records import Begun
from common.registry import BotRegistry
from common.store import broadcasts, deliveries
from common.store.pool import Pool
from common.telegram.client import BotAccess, BotApi
from common.telegram.errors import TelegramError, TokenRevoked
from common.window import RoundTrips, free_at

from sender.ledger import Ended, Ledger
from sender.rules.head_start import HeadStart
from sender.rules.outcomes import decide
from sender.rules.render import render

_CHUNK = 10_000  # deliveries planned in one transaction
_REMEMBERED = 100  # contents of broadcasts


class Deliveries:
    """The handler of group_message_queue; a job whose row says something else is stale and dropped."""

    def __init__(self, pool: Pool, api: BotApi, registry: BotRegistry, clock: DatabaseClock, ledger: Ledger) -> None:
        self._pool = pool
        self._api = api
        self._registry = registry
        self._clock = clock
        self._ledger = ledger
        self._trips = RoundTrips()
        self._head_start = HeadStart()
        self._contents: dict[int, dict[str, Any]] = {}

    async def __call__(self, job: GroupMessageJob) -> None:
        """By kind."""
        match job:
            case PlanBroadcast():
                await self._plan(job.broadcast_id)
            case SendFinalMessage():
                await self._deliver(job)
            case _ as never:
                assert_never(never)

    async def _plan(self, broadcast_id: int) -> None:
        """In chunks, each remembered in the broadcast's row: killed in between, the next one goes on from there."""
        while True:
            async with self._pool.transaction("plan") as tx:
                targets = await broadcasts.targets_of(tx, broadcast_id)
                if targets is None:
                    return
                if await deliveries.plan(tx, broadcast_id, targets, limit=_CHUNK) == 0:
                    await broadcasts.planned(tx, broadcast_id)

    async def _deliver(self, job: SendFinalMessage) -> None:
        access = await self._registry.access(job.bot_id)
        await self._clock.sleep_until(job.slot_at, early=self._head_start.value)
        asked = time.monotonic()
        begun = await self._ledger.begin(job)
        self._head_start.add(time.monotonic() - asked)
        if begun is None:
            return
        content = await self._content(begun.broadcast_id)
        await self._clock.sleep_until(job.slot_at)
        await self._ledger.settle(await self._send(job, access, begun, content))

    async def _send(self, job: SendFinalMessage, access: BotAccess, begun: Begun, content: dict[str, Any]) -> Ended:
        method, params = render(content, begun)
        started, error, message_id = time.monotonic(), None, None
        try:
            message_id = _message_id(await self._api.call(access, method, params))
        except TelegramError as failure:
            error = failure
        self._trips.add(time.monotonic() - started)
        if isinstance(error, TokenRevoked):
            await self._registry.revoked(access)
        decision = decide(error, attempts=begun.attempts, on_unknown=begun.on_unknown)
        return Ended(job, begun, decision, message_id, free_at(self._clock.now(), self._trips.floor))

    async def _content(self, broadcast_id: int) -> dict[str, Any]:
        found = self._contents.get(broadcast_id)
        if found is None:
            async with self._pool.transaction("content") as tx:
                found = await broadcasts.content(tx, broadcast_id)
            if len(self._contents) >= _REMEMBERED:
                self._contents.pop(next(iter(self._contents)))
            self._contents[broadcast_id] = found
        return found


def _message_id(result: Any) -> int | None:
    first = result[0] if isinstance(result, list) and result else result
    return first.get("message_id") if isinstance(first, dict) else None
