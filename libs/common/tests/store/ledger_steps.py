"""What the state machines of the ledger and the limiter do to the database: time, and a sender's part."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from common.congestion import Refusal
from common.ids import BotId
from common.records import Begun
from common.store import congestion, deliveries, in_hand, slots
from common.store.deliveries import Outcome
from common.store.pool import Tx
from common.store.slots import Used

AHEAD = timedelta(milliseconds=150)
LATE, SILENT, STUCK = timedelta(seconds=5), timedelta(seconds=8), timedelta(seconds=60)
TIMES = (
    ("bot_slots", "free_at"), ("bot_slots", "held_at"), ("group_turns", "next_at"), ("deliveries", "slot_at"),
    ("deliveries", "not_before"), ("workers", "beat_at"), ("broadcasts", "expires_at"), ("bots", "flood_until"),
    ("bots", "learned_at"),
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """As on the queue."""

    delivery_id: int
    group_id: int
    bot_id: BotId
    slot: int
    slot_at: datetime


@dataclass(frozen=True)
class Attempt:
    """At Telegram, in one sender's hands; `age` in seconds."""

    owner: str
    job: Job
    begun: Begun
    number: int
    age: float = 0.0


async def shift(tx: Tx, passed: timedelta) -> None:
    """Time passes."""
    for table, column in TIMES:
        await tx.execute(f"UPDATE {table} SET {column} = {column} - $1::interval", passed)  # noqa: S608 (our own names)
    await tx.execute(
        "UPDATE group_turns SET recent = (SELECT coalesce(array_agg(r - $1::interval), '{}') FROM unnest(recent) r)",
        passed,
    )


async def row(tx: Tx, job: Job) -> tuple[Any, ...]:
    """What an answer can change, and what holds the delivery's slot and turn."""
    found = await tx.fetchrow(
        """SELECT d.state, d.reason, d.owner, t.held_by,
               (SELECT count(*) FROM bot_slots s WHERE s.held_by = d.delivery_id::text)
           FROM deliveries d JOIN group_turns t USING (group_id) WHERE d.delivery_id = $1""",
        job.delivery_id,
    )
    assert found is not None
    return tuple(found)


async def give_back(tx: Tx, job: Job) -> None:
    """As the sender's ledger does with a stale job."""
    if await in_hand.drop(tx, "deliveries", [(job.delivery_id, job.slot_at)]):
        await slots.release(tx, [Used(job.delivery_id, job.group_id, job.bot_id, [job.slot], datetime.now(UTC))])


async def settle(tx: Tx, attempt: Attempt, end: str) -> None:
    """As the sender's ledger does with an answer."""
    job, begun = attempt.job, attempt.begun
    outcome = outcome_of(job, begun, end)
    if await deliveries.settle(tx, [outcome]):
        free = datetime.now(UTC) + timedelta(seconds=1)
        await slots.release(tx, [Used(job.delivery_id, job.group_id, job.bot_id, [job.slot], free)])
    if end == "flood":
        await slots.flood_chat(tx, job.group_id, timedelta(seconds=5))
    if end == "bot flood":
        await congestion.note(tx, [Refusal(job.bot_id, chat, timedelta(seconds=9)) for chat in (-1, -2, -3)])


def outcome_of(job: Job, begun: Begun, end: str) -> Outcome:
    """As `rules/outcomes` decides it."""
    known: Any = {
        "sent": ("sent", None, 0), "failed": ("failed", "rights", 0), "flood": ("pending", "flood", 5),
        "not sent": ("pending", "not_sent", 2), "bot flood": ("pending", "flood", 9),
    }  # fmt: skip
    again = begun.on_unknown == "resend_once" and begun.attempts < 2
    state, reason, delay = known.get(end) or ("pending" if again else "unknown", "unknown", 1)
    return Outcome(job.delivery_id, job.slot_at, state, reason=reason, delay=timedelta(seconds=delay))
