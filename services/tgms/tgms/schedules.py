"""The loop that makes a broadcast of each occurrence of a schedule, exactly once."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from common.bus.publisher import envelope
from common.cron import Cron, CronError
from common.ids import JobId
from common.jobs import PlanBroadcast
from common.queues import GROUP_MESSAGE_QUEUE
from common.store import audit, broadcasts, outbox, schedules
from common.store.audit import Entry
from common.store.pool import Pool, Tx
from common.store.schedules import Schedule

from tgms.leader import Leader
from tgms.rounds import rounds
from tgms.rules.occurrences import decide

_INTERVAL = 1.0  # seconds
_ROUND = 100  # schedules
_log = logging.getLogger(__name__)


class Schedules:
    """Under the lease; each occurrence is one transaction: its mark, its broadcast, its plan job, the next date."""

    def __init__(self, pool: Pool, leader: Leader) -> None:
        self._pool = pool
        self._leader = leader

    async def run(self, stop: asyncio.Event) -> None:
        """Every second."""
        await rounds("schedules", self._round, stop, self._leader, interval=_INTERVAL)

    async def _round(self) -> None:
        async with self._pool.transaction("schedules") as tx:
            found = await schedules.due(tx, _ROUND)
        for schedule_id in found:
            async with self._pool.transaction("schedule") as tx:
                await self._leader.fence(tx)
                taken = await schedules.take(tx, schedule_id)
                if taken is not None:
                    await _occur(tx, *taken)


async def _occur(tx: Tx, schedule: Schedule, now: datetime) -> None:
    plan, due = schedule.plan, schedule.plan.next_at or now
    try:
        decision = decide(Cron(plan.cron, plan.timezone), due, now=now, ends_at=plan.ends_at)
    except CronError:  # it could be read when it was made: another version of the time zones
        await schedules.skip(tx, schedule.schedule_id, [due], "its cron expression or time zone can't be read any more")
        await schedules.move_on(tx, schedule.schedule_id, None)
        return
    for reason, missed in decision.skipped.items():
        await schedules.skip(tx, schedule.schedule_id, missed, reason)
    if decision.run is not None and await schedules.note(tx, schedule.schedule_id, decision.run):
        broadcast_id = await _broadcast(tx, schedule)
        nobody = None if broadcast_id is not None else "no group could be sent to"
        await schedules.became(tx, schedule.schedule_id, decision.run, broadcast_id, nobody)
    await schedules.move_on(tx, schedule.schedule_id, decision.next_at)
    told = {"schedule_id": schedule.schedule_id, "skipped": sum(map(len, decision.skipped.values()))}
    _log.info("occurrence", extra=told | {"ran": decision.run is not None})


async def _broadcast(tx: Tx, schedule: Schedule) -> int | None:
    """None where nobody would get it."""
    plan = schedule.plan
    if (await broadcasts.count(tx, plan.targets)).reached == 0:
        return None
    broadcast_id = await broadcasts.create(
        tx,
        plan.targets,
        plan.content,
        priority=plan.priority,
        on_unknown=plan.on_unknown,
        ttl=plan.ttl,
        created_by=f"schedule:{schedule.schedule_id}",
    )
    job = PlanBroadcast(broadcast_id=broadcast_id)
    await outbox.add(tx, envelope(GROUP_MESSAGE_QUEUE, job, job_id=JobId(f"plan:{broadcast_id}")))
    actor, thing = f"schedule:{schedule.schedule_id}", f"broadcast:{broadcast_id}"
    await audit.record(tx, Entry(actor, "broadcast.create", thing, bot_ids=plan.targets.bot_ids))
    return broadcast_id
