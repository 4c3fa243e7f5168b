"""A bot's updates: pending until a webhook's 2xx or a getUpdates offset confirms them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from telegram_sim.bounded import BoundedLog
from telegram_sim.queue_keys import is_allowed, lifetime, queue_key
from telegram_sim.wire import to_json

BACKLOG_CAP = 100_000  # updates kept per bot (W7)


@dataclass
class UpdateRecord:
    """One update, what was tried with it, and how that ended."""

    update_id: int
    kind: str
    queue_key: int
    body: bytes
    created_at: float
    expires_at: float
    place: int = 0  # in the queue's history; ids may stand there twice, places not
    state: str = "pending"
    first_attempt_at: float | None = None
    delivered_at: float | None = None
    status_codes: list[int] = field(default_factory=list)
    attempt_times: list[float] = field(default_factory=list)

    def attempted(self, at: float, status: int) -> None:
        """Notes one delivery attempt; status 0 stands for no answer at all."""
        self.first_attempt_at = self.first_attempt_at or at
        self.attempt_times.append(at)
        self.status_codes.append(status)

    def as_json(self) -> dict[str, Any]:
        """The admin API's view, without the body."""
        view = {name: value for name, value in vars(self).items() if name not in {"body", "place"}}
        return view | {"attempts": len(self.status_codes)}


class UpdateQueue:
    """Numbers updates by one per bot (W10), holds the pending ones in order and remembers the rest."""

    def __init__(self, bot_id: int, *, first_update_id: int, keep: int) -> None:
        self.bot_id = bot_id
        self.next_update_id = first_update_id
        self.allowed: frozenset[str] = frozenset()
        self.pending: dict[int, UpdateRecord] = {}  # by place
        self.history: BoundedLog[UpdateRecord] = BoundedLog(keep)
        self.listeners: list[Callable[[UpdateRecord], None]] = []
        self.poller: asyncio.Future[bool] | None = None  # a long poll; True wakes it, False ends it

    def push(self, kind: str, payload: Any, *, now: float, scale: float = 1.0) -> UpdateRecord | None:
        """Stores an update unless allowed_updates or the backlog's cap forbids it."""
        if not is_allowed(kind, self.allowed) or len(self.pending) >= BACKLOG_CAP:
            return None
        body = to_json({"update_id": self.next_update_id, kind: payload})
        key = queue_key(kind, payload, bot_id=self.bot_id)
        return self.store(body, kind=kind, key=key, now=now, expires_at=now + lifetime(kind) / scale)

    def store(
        self, body: bytes, *, kind: str, key: int, now: float, expires_at: float, update_id: int | None = None
    ) -> UpdateRecord:
        """Appends a ready body and tells the listeners; a given update_id leaves the sequence alone."""
        if update_id is None:
            update_id = self.next_update_id
            self.next_update_id += 1
        record = UpdateRecord(update_id, kind, key, body, created_at=now, expires_at=expires_at)
        record.place = self.history.append(record)
        self.pending[record.place] = record
        if self.poller and not self.poller.done():
            self.poller.set_result(True)
        for listener in list(self.listeners):
            listener(record)
        return record

    def settle(self, record: UpdateRecord, state: str, *, now: float) -> None:
        """Takes an update out of the pending ones; a second settling changes nothing."""
        if record.state != "pending":
            return
        record.state = state
        if state == "delivered":
            record.delivered_at = now
        self.pending.pop(record.place, None)

    def drop_pending(self, *, now: float) -> None:
        """drop_pending_updates: what waits is gone."""
        for record in list(self.pending.values()):
            self.settle(record, "dropped", now=now)

    def find(self, update_id: int) -> UpdateRecord | None:
        """The newest remembered update with this id."""
        return next((record for record in reversed(self.history.entries) if record.update_id == update_id), None)
