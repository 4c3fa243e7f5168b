"""The slow loop: takes out what nobody can ask for again, and revives what got lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

from common.errors import LeaseLost, StoreUnavailable
from common.store import events, idempotency, inbox, media, media_files, outbox, quarantine, replies, round_trips
from common.store.pool import Pool, Tx
from common.telemetry.redact import describe

from tgms.leader import Leader
from tgms.rounds import timed

_INTERVAL = 60.0  # seconds
_LOOK = 1.0  # seconds between looks of one who does not lead: a wait for the lease would not see the stop
_LOST_AFTER = timedelta(minutes=10)
_QUARANTINE = timedelta(days=30)
_EVENTS = timedelta(days=7)
_RESULTS = timedelta(hours=25)  # the API promises 24
_FILE_IDS = timedelta(days=60)
_log = logging.getLogger(__name__)


async def run(stop: asyncio.Event, pool: Pool, leader: Leader, *, keep: timedelta) -> None:
    """Marks of updates and settled replies older than `keep`."""
    while not stop.is_set():
        leads = await leader.elected(0)
        if leads:
            await _prune(pool, leader, keep)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _INTERVAL if leads else _LOOK)


async def _prune_some(pool: Pool, leader: Leader, keep: timedelta) -> dict[str, int]:
    """One round; empty where it found nothing. Each in a transaction of its own: what takes long holds up no other."""
    steps: dict[str, Callable[[Tx], Awaitable[int]]] = {
        "inbox": lambda tx: inbox.prune(tx, keep),
        "replies": lambda tx: replies.prune(tx, keep),
        "results": lambda tx: idempotency.prune(tx, _RESULTS),
        "events": lambda tx: events.prune(tx, _EVENTS),
        "quarantine": lambda tx: quarantine.prune(tx, _QUARANTINE),
        "media": media.prune,
        "round_trips": round_trips.prune,
        "file_ids": lambda tx: media_files.prune(tx, _FILE_IDS),
        "revived": lambda tx: outbox.revive(tx, _LOST_AFTER),
    }
    done = {}
    for what, step in steps.items():
        async with pool.transaction("housekeeping") as tx:
            await leader.fence(tx)
            done[what] = await step(tx)
    return {what: n for what, n in done.items() if n}


async def _prune(pool: Pool, leader: Leader, keep: timedelta) -> None:
    """In rounds, until one finds nothing more: a minute may bring more than a round takes out."""
    total = Counter[str]()
    try:
        with timed("housekeeping"):
            while done := await _prune_some(pool, leader, keep):
                total.update(done)
    except (StoreUnavailable, LeaseLost) as error:
        _log.warning("housekeeping waits", extra={"error": describe(error)})
    if total.total():
        _log.info("housekeeping", extra=dict(total))
