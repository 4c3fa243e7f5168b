"""getUpdates."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from telegram_sim.errors import ApiError
from telegram_sim.methods.call import Call
from telegram_sim.methods.hooks import take_allowed_updates
from telegram_sim.update_queue import UpdateQueue, UpdateRecord

MOST_UPDATES = 100
LONGEST_WAIT = 50  # seconds, the real server's cap


async def get_updates(call: Call) -> list[dict[str, Any]]:
    """core.telegram.org/bots/api#getupdates: an offset confirms everything below it."""
    if call.bot.webhook:
        raise ApiError(
            409, "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
        )
    take_allowed_updates(call)
    queue, now = call.bot.updates, call.world.clock.now()
    confirm(queue, call.params.integer("offset"), now=now)
    limit = min(max(call.params.integer("limit", MOST_UPDATES), 1), MOST_UPDATES)
    if not pending(queue, now=now):
        await wait(call, min(call.params.integer("timeout"), LONGEST_WAIT))
    return [update for record in pending(queue, now=call.world.clock.now())[:limit] if (update := decode(record))]


def confirm(queue: UpdateQueue, offset: int, *, now: float) -> None:
    """A negative offset keeps that many from the end."""
    records = list(queue.pending.values())
    done = records[:offset] if offset < 0 else [record for record in records if record.update_id < offset]
    for record in done:
        queue.settle(record, "delivered", now=now)


def pending(queue: UpdateQueue, *, now: float) -> list[UpdateRecord]:
    """What waits, without what expired meanwhile (W6)."""
    for record in list(queue.pending.values()):
        if record.expires_at < now:
            queue.settle(record, "expired", now=now)
    return list(queue.pending.values())


async def wait(call: Call, seconds: int) -> None:
    """Long polling: until an update comes, or another poller takes over."""
    queue = call.bot.updates
    if queue.poller and not queue.poller.done():
        queue.poller.set_result(False)
    if seconds <= 0:
        return
    arrived: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    queue.poller = arrived
    try:
        mine = await asyncio.wait_for(arrived, seconds)
    except TimeoutError:
        return
    if not mine:
        raise ApiError(409, "terminated by other getUpdates request; make sure that only one bot instance is running")


def decode(record: UpdateRecord) -> dict[str, Any] | None:
    """The update as JSON; raw bytes that are none cannot be polled."""
    try:
        update = json.loads(record.body)
    except ValueError:
        return None
    return update if isinstance(update, dict) else None
