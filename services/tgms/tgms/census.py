"""The loop that tells Prometheus how the fleet stands, as far as only the database knows."""

from __future__ import annotations

import asyncio
import time

from common.store import census
from common.store.census import Census
from common.store.pool import Pool
from common.telemetry import metrics
from common.telemetry.snapshot import Fact, Values

from tgms.leader import Leader
from tgms.rounds import rounds
from tgms.rules.patience import SILENT

_INTERVAL = 5.0  # seconds
_SHARE = 20  # a look may take so little of the time: a backlog of millions must not be slowed down by being counted
_LONGEST = 120.0  # seconds without a look: alerts wait for minutes, not for hours

# What is told as 0 where there is none: a panel without a line would look like a question that nobody answers.
_WHY = ("turn", "later", "flood", "paused", "bot_off")
_OPEN = ("scheduled", "planning", "running", "paused")
_SLOTS = ("free", "held", "cooling")
_BOTS = ("active", "disabled", "revoked")


class CensusTaker:
    """Only the leader: the same told by two would count double."""

    def __init__(self, pool: Pool, leader: Leader) -> None:
        self._pool = pool
        self._leader = leader
        self._not_before = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Every few seconds, and less often where counting takes long."""
        await rounds("census", self._round, stop, self._leader, interval=_INTERVAL)

    async def _round(self) -> None:
        """Without the fence: its lock on the lease would outlast a long look."""
        started = time.monotonic()
        if started < self._not_before:
            return
        try:
            async with self._pool.transaction("census") as tx:
                found = await census.take(tx, SILENT)
        finally:  # one that comes to no end has cost the most
            took = time.monotonic() - started
            pause = min(took * _SHARE, _LONGEST)
            self._not_before = started + pause
        epoch = self._leader.epoch
        if epoch is not None:
            facts = {metrics.EPOCH: _one(epoch), metrics.CENSUS_SECONDS: _one(took), **told(found)}
            metrics.FLEET.tell(facts, pause=pause)


def told(found: Census) -> dict[Fact, Values]:
    """As gauges."""
    return {
        **_sending(found),
        metrics.BOTS: _each(found.bots.by_state, _BOTS),
        metrics.BOT_PROBLEMS: _each(found.bots.problems),
        metrics.BOT_FLOOD: {(str(bot),): seconds for bot, seconds in found.bots.flood.items()},
        metrics.GROUPS: found.groups,
        metrics.OUTBOX_PENDING: _one(found.outbox.pending),
        metrics.OUTBOX_OLDEST: _one(found.outbox.oldest.total_seconds()),
        metrics.DEAD_LETTERS_OPEN: found.dead_letters,
        metrics.QUARANTINED: _one(found.quarantined),
    }


def _sending(found: Census) -> dict[Fact, Values]:
    waiting = found.waiting
    return {
        metrics.DELIVERIES_WAITING: _each(waiting.by_why, _WHY),
        metrics.DELIVERIES_OLDEST: _each(waiting.oldest, _WHY),
        metrics.BOT_WAITING: {(str(bot),): waiting.by_bot.get(bot, 0) for bot in {*waiting.by_bot, *found.bots.flood}},
        metrics.DELIVERIES_IN_HAND: {("slotted",): found.in_hand.slotted, ("sending",): found.in_hand.sending},
        metrics.DELIVERIES_LATE: _one(found.in_hand.late),
        metrics.DELIVERIES_UNKNOWN: _one(found.unknown),
        metrics.BROADCASTS: _each(found.broadcasts, _OPEN),
        metrics.REVISIONS_WAITING: _one(found.revision_items),
        metrics.SEND_CEILING: _one(found.bots.ceiling),
        metrics.SEND_SLOTS: _each(found.slots, _SLOTS),
        metrics.SENDERS: _one(found.senders),
    }


def _one(value: float) -> Values:
    return {(): value}


def _each(found: dict[str, int] | dict[str, float], expected: tuple[str, ...] = ()) -> Values:
    return {(name,): found.get(name, 0) for name in (*expected, *(name for name in found if name not in expected))}
