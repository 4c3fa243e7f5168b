"""Brings one bot's updates to its webhook by Telegram's rules: lanes in order (W4), retries (W5), slow start (W3)."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from random import Random

from telegram_sim.clock import Clock
from telegram_sim.connections import Connections
from telegram_sim.postman import Answer, Postman
from telegram_sim.retry import CAP, RetryState, next_try
from telegram_sim.update_queue import UpdateQueue, UpdateRecord
from telegram_sim.webhook import Webhook

GONE_AFTER = 23 * 3600  # seconds of unbroken 410 answers that delete a webhook (W8)


@dataclass
class Lane:
    """The updates of one queue key; only the first may be in flight."""

    waiting: deque[UpdateRecord] = field(default_factory=deque)
    retry: RetryState = field(default_factory=RetryState)


@dataclass(frozen=True)
class Hooks:
    """What the courier asks others to do."""

    execute: Callable[[Answer], Awaitable[None]]  # a method call in the webhook's answer (W9)
    forget: Callable[[], None]  # the webhook was Gone for too long (W8)


class Courier:
    """Runs while the webhook is set; wakes for new updates, finished deliveries and due retries."""

    def __init__(
        self, hook: Webhook, updates: UpdateQueue, postman: Postman, clock: Clock, rng: Random, hooks: Hooks
    ) -> None:
        self.hook = hook
        self.updates = updates
        self.postman = postman
        self.clock = clock
        self.rng = rng
        self.hooks = hooks
        self.backlog: deque[UpdateRecord] = deque(updates.pending.values())
        self.lanes: dict[Hashable, Lane] = {}
        self.due: list[tuple[float, int, Hashable]] = []
        self.order = itertools.count()
        self.connections = Connections()
        self.deliveries: set[asyncio.Task[None]] = set()
        self.alarm: asyncio.TimerHandle | None = None
        self.stopped = False
        updates.listeners.append(self.accept)
        self.pump()

    async def stop(self) -> None:
        """Ends deliveries in flight; what they carried stays pending."""
        self.detach()
        for task in self.deliveries:
            task.cancel()
        await asyncio.gather(*self.deliveries, return_exceptions=True)

    def detach(self) -> None:
        """Takes no more updates and sets no more alarms."""
        self.stopped = True
        if self.accept in self.updates.listeners:
            self.updates.listeners.remove(self.accept)
        if self.alarm:
            self.alarm.cancel()

    def accept(self, record: UpdateRecord) -> None:
        """A new update arrived."""
        self.backlog.append(record)
        self.pump()

    def pump(self) -> None:
        """Loads lanes, starts what may start now, and sets the alarm for the rest."""
        if self.stopped:
            return
        self.load()
        now = self.clock.steady()
        wait: float | None = None
        while self.due:
            at = self.due[0][0]
            wait = at - now if at > now else self.connections.wait(now, self.hook.max_connections, self.clock)
            if wait > 0:
                break
            _, _, key = heapq.heappop(self.due)
            self.begin(key)
        self.set_alarm(wait if self.due else None)

    def load(self) -> None:
        """At most twice max_connections lanes are loaded: as many stuck lanes stall the bot (W3)."""
        while self.backlog and len(self.lanes) < 2 * self.hook.max_connections:
            record = self.backlog.popleft()
            if record.expires_at < self.clock.now():
                self.updates.settle(record, "expired", now=self.clock.now())
            if record.state != "pending":
                continue
            key: Hashable = record.queue_key or ("own", record.place)
            lane = self.lanes.get(key)
            if lane is None:
                lane = self.lanes[key] = Lane()
                self.schedule(key, 0.0)
            lane.waiting.append(record)

    def schedule(self, key: Hashable, delay: float) -> None:
        """Makes a lane's first update due after a simulated delay."""
        heapq.heappush(self.due, (self.clock.steady() + self.clock.real(delay), next(self.order), key))

    def set_alarm(self, wait: float | None) -> None:
        """One timer for the earliest thing that will not announce itself."""
        if self.alarm:
            self.alarm.cancel()
            self.alarm = None
        if wait is not None and wait != float("inf"):
            self.alarm = asyncio.get_running_loop().call_later(wait, self.pump)

    def begin(self, key: Hashable) -> None:
        """Starts the delivery of a lane's first update."""
        self.connections.take(self.clock.steady())
        task = asyncio.create_task(self.deliver(key, self.lanes[key]))
        self.deliveries.add(task)
        task.add_done_callback(self.deliveries.discard)

    async def deliver(self, key: Hashable, lane: Lane) -> None:
        """Posts one update and settles or reschedules its lane."""
        record = lane.waiting[0]
        self.hook.attempts += 1
        started = self.clock.now()
        answer = await self.postman.post(self.hook, record.body)
        record.attempted(started, answer.status)
        self.connections.release(kept=answer.keeps_connection)
        if answer.ok:
            self.succeeded(key, lane, record)
        else:
            self.failed(key, lane, record, answer)
        self.pump()
        if answer.ok:
            await self.hooks.execute(answer)

    def succeeded(self, key: Hashable, lane: Lane, record: UpdateRecord) -> None:
        """The update is done; its lane may go on."""
        self.connections.succeeded_at = self.clock.steady()
        self.hook.gone_since = None
        self.updates.settle(record, "delivered", now=self.clock.now())
        self.next_in(key, lane)

    def failed(self, key: Hashable, lane: Lane, record: UpdateRecord, answer: Answer) -> None:
        """The whole lane waits for the retry, or goes on without an update that expires before it."""
        now = self.clock.now()
        self.hook.failed(answer.error, now=now)
        if self.gone_too_long(answer, now):
            self.hooks.forget()
            return
        lane.retry, delay = next_try(lane.retry, answer.retry_after, cap=self.rng.randint(CAP, 2 * CAP))
        if record.state != "pending":
            self.next_in(key, lane)
        elif now + self.clock.real(delay) > record.expires_at:
            self.updates.settle(record, "expired", now=now)
            self.next_in(key, lane)
        else:
            self.schedule(key, delay)

    def next_in(self, key: Hashable, lane: Lane) -> None:
        """Drops a lane's first update and what was settled elsewhere, then schedules the next or closes the lane."""
        lane.retry = RetryState()
        lane.waiting.popleft()
        while lane.waiting and lane.waiting[0].state != "pending":
            lane.waiting.popleft()
        if lane.waiting:
            self.schedule(key, 0.0)
        else:
            del self.lanes[key]

    def gone_too_long(self, answer: Answer, now: float) -> bool:
        """410 for 23 hours deletes the webhook; any other answer starts the count anew (W8)."""
        if answer.status != 410:
            self.hook.gone_since = None
            return False
        self.hook.gone_since = self.hook.gone_since or now
        return now - self.hook.gone_since >= self.clock.real(GONE_AFTER)
