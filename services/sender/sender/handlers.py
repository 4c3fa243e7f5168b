"""Plans broadcasts and sends deliveries: wait for the slot, write the intent, send, write the outcome, acknowledge."""

from __future__ import annotations

import time
from typing import Any, assert_never

from common.dbclock import DatabaseClock
from common.errors import StoreUnavailable
from common.jobs import GroupMessageJob, PlanBroadcast, ReviseMessage, SendFinalMessage
from common.records import Begun
from common.registry import BotRegistry
from common.store import broadcasts, deliveries
from common.store.pool import Pool
from common.telegram.client import BotAccess, BotApi
from common.telegram.errors import TelegramError, TokenRevoked
from common.window import RoundTrips, free_at

from sender.ledger import Ended, Ledger
from sender.revisions import Revisions
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
        self._contents: dict[tuple[int, int], dict[str, Any]] = {}
        self._revise = Revisions(pool, api, registry=registry, clock=clock, owner=ledger.owner, trips=self._trips)

    async def __call__(self, job: GroupMessageJob) -> None:
        """By kind."""
        match job:
            case PlanBroadcast():
                await self._plan(job.broadcast_id)
            case SendFinalMessage():
                await self._deliver(job)
            case ReviseMessage():
                await self._revise(job)
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
        try:
            content = await self._content(begun)
        except StoreUnavailable:
            await self._ledger.withdraw(job)
            raise
        await self._clock.sleep_until(job.slot_at)
        await self._ledger.settle(await self._send(job, access, begun, content))

    async def _send(self, job: SendFinalMessage, access: BotAccess, begun: Begun, content: dict[str, Any]) -> Ended:
        method, params = render(content, begun)
        started, error = time.monotonic(), None
        message_ids: list[int] = []
        try:
            message_ids = _message_ids(await self._api.call(access, method, params))
        except TelegramError as failure:
            error = failure
        self._trips.add(time.monotonic() - started)
        if isinstance(error, TokenRevoked):
            await self._registry.revoked(access)
        decision = decide(error, attempts=begun.attempts, on_unknown=begun.on_unknown)
        return Ended(job, begun, decision, message_ids, free_at(self._clock.now(), self._trips.floor))

    async def _content(self, begun: Begun) -> dict[str, Any]:
        edition = (begun.broadcast_id, begun.edition)
        found = self._contents.get(edition)
        if found is None:
            async with self._pool.transaction("content") as tx:
                found = await broadcasts.content(tx, begun.broadcast_id)
            if len(self._contents) >= _REMEMBERED:
                self._contents.pop(next(iter(self._contents)))
            self._contents[edition] = found
        return found


def _message_ids(result: Any) -> list[int]:
    """One, or an album's."""
    messages = result if isinstance(result, list) else [result]
    ids = [message.get("message_id") for message in messages if isinstance(message, dict)]
    return [number for number in ids if isinstance(number, int)]
