"""The journal of sends: what their ends mean for deliveries, groups, bots and broadcasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from common.congestion import Refusal
from common.ids import BotId, ChatId
from common.jobs import SendFinalMessage
from common.records import Begun
from common.store import broadcasts, congestion, deliveries, group_states, groups, moving, slots
from common.store.deliveries import Outcome
from common.store.groups import Note
from common.store.pool import Tx
from common.store.slots import Used
from common.telemetry import metrics

from sender.journal import UNWRITABLE, Journal
from sender.rules.outcomes import Decision, Progress, onward

_SENDS = {
    state: metrics.SENDS.labels(outcome)
    for state, outcome in {"sent": "sent", "pending": "again", "failed": "failed", "unknown": "unknown"}.items()
}
_STAY = ("lost", "archived", "migrated")  # phases that a refused send says nothing new of


@dataclass(frozen=True, slots=True)
class Ended:
    """One attempt, what was decided of it, and when its slot is free again."""

    job: SendFinalMessage
    begun: Begun
    decision: Decision
    message_ids: tuple[int, ...]
    free_at: datetime
    progress: Progress


class Ledger(Journal[SendFinalMessage, Begun, Ended]):
    """Of broadcasts."""

    rows = "deliveries"

    async def settle(self, job: SendFinalMessage, ended: Ended) -> None:
        """Counted once it is written."""
        await super().settle(job, ended)
        _SENDS[ended.decision.state].inc()

    async def put_off(self, job: SendFinalMessage, delay: timedelta) -> None:
        """Nothing was begun: the delivery waits for another slot, and this one is free."""
        async with self._pool.transaction("put off") as tx:
            await deliveries.put_off(tx, [self._key(job)], delay)
        await self.give_back(job)

    def _row(self, job: SendFinalMessage) -> int:
        return job.delivery_id

    async def _write_intents(self, tx: Tx, jobs: Sequence[SendFinalMessage]) -> Mapping[int, Begun]:
        keys = [(job.delivery_id, job.slot_at, job.bot_id) for job in jobs]
        return {row.delivery_id: row for row in await deliveries.begin(tx, keys, self.life.owner)}

    async def _write_outcomes(self, tx: Tx, batch: Sequence[Ended]) -> None:
        written = await deliveries.settle(tx, [_outcome(ended) for ended in batch])
        own = [ended for ended in batch if ended.begun.delivery_id in written]
        await slots.release(tx, [_slots(ended.job, ended.free_at, items=ended.job.items) for ended in own])
        await groups.note(tx, [_note(e) for e in own if e.decision.state == "sent" or e.decision.group_failed])
        for ended in batch:  # also of an attempt that was given up meanwhile: it says what is true
            await _consequences(tx, ended)
        await congestion.note(tx, [refusal for ended in batch for refusal in _refusals(ended)])

    def _unwritable(self, ended: Ended) -> Ended:
        return replace(ended, decision=Decision("unknown", UNWRITABLE), message_ids=())

    def _unused_slots(self, job: SendFinalMessage, free_at: datetime) -> Used:
        return _slots(job, free_at, items=0)


async def _consequences(tx: Tx, ended: Ended) -> None:
    """The rare ones, one by one."""
    decision, begun = ended.decision, ended.begun
    if decision.group_lost:
        await _lose(tx, begun, decision.told)
    if decision.migrated_to is not None:
        await moving.move(tx, begun.chat_id, ChatId(decision.migrated_to))
    if decision.chat_flood is not None:
        await slots.flood_chat(tx, begun.group_id, decision.chat_flood)
    if decision.pause:
        await broadcasts.pause(tx, begun.broadcast_id, f"content: {decision.reason}")


async def _lose(tx: Tx, begun: Begun, told: str | None) -> None:
    """As when Telegram tells that the bot was removed, unless another one has the group since."""
    group = await group_states.lock(tx, begun.chat_id)
    if group is None or group.bot_id != begun.bot_id or group.phase in _STAY:
        return
    lost = replace(group, phase="lost", health="unreachable", missing_rights=[])
    await group_states.save(tx, lost)
    failed = await group_states.fail_pending(tx, begun.group_id, BotId(begun.bot_id), "the group is lost")
    await group_states.record(tx, begun.bot_id, "group.lost", group, lost, f"a send: {told}", deliveries_failed=failed)


def _refusals(ended: Ended) -> list[Refusal]:
    wait = ended.decision.chat_flood or ended.decision.bot_flood
    return [] if wait is None else [Refusal(BotId(ended.begun.bot_id), ended.begun.chat_id, wait)]


def _outcome(ended: Ended) -> Outcome:
    begun, progress = ended.begun, ended.progress
    decision, done = onward(ended.decision, progress)
    filled = {"title": begun.title, "variables": begun.variables} if progress.parts > 1 else None
    return Outcome(
        begun.delivery_id,
        ended.job.slot_at,
        decision.state,
        ended.message_ids,
        f"{decision.reason}: {decision.told}" if decision.told else decision.reason,
        decision.delay,
        progress.parts,
        done,
        filled,
        begun.chat_id,
        decision.unsent,
    )


def _slots(job: SendFinalMessage, free_at: datetime, *, items: int) -> Used:
    return Used(job.delivery_id, job.group_id, BotId(job.bot_id), [job.slot, *job.more_slots], free_at, items)


def _note(ended: Ended) -> Note:
    decision, begun = ended.decision, ended.begun
    return Note(begun.group_id, BotId(begun.bot_id), decision.group_failed, decision.reason, decision.group_health)
