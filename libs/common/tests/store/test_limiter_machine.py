"""H3: however requests and answers are delayed, Telegram never sees more of a bot or in a group than it allows."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import pytest
from common.ids import BotId, ChatId
from common.records import Turn
from common.store import bots, broadcasts, deliveries, groups, in_hand, reaping, slots
from common.store.broadcasts import Targets
from common.store.deliveries import Outcome
from common.store.pool import Pool, Tx
from common.store.slots import Used
from common.testing.builders import make_bot
from common.testing.postgres import make_pool
from common.window import Seen, free_at
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from .ledger_steps import AHEAD, LATE, SILENT, STUCK, Job, give_back, shift

pytestmark = pytest.mark.timeout(180)  # it takes 20 s on an idle machine

ResultT = TypeVar("ResultT")
BOT = BotId(1)
SHAPES = [(1, 2), (3, 1), (3, 5), (30, 40)]  # sends a second, groups
PICK = st.integers(0, 1_000)
JITTER = st.sampled_from([0.0, 0.0, 0.003, 0.05, 0.4])  # seconds beyond the quickest way


@dataclass(frozen=True)
class UnderWay:
    """A request: where it came from, and when its answer is here, in simulated seconds."""

    job: Job | Turn
    answered: float


class Arriving(RuleBasedStateMachine):
    """One bot. Simulated time is the database's, plus what it was moved on by."""

    pool: Pool
    runner: asyncio.Runner

    @initialize(
        shape=st.sampled_from([(1, 2), (3, 1), (3, 5), (30, 40)]),
        there=st.floats(0.005, 0.2),
        back=st.floats(0.005, 0.2),
    )
    def fresh(self, shape: tuple[int, int], there: float, back: float) -> None:
        """`there` and `back` are the quickest ways; the smallest round trip that was seen is their sum."""
        self.per_second, count = shape
        self.there, self.back = there, back
        self.moved = 0.0
        self.queue: list[Job] = []
        self.under_way: list[UnderWay] = []
        self.bots: list[float] = []  # arrivals
        self.chats: dict[int, list[float]] = defaultdict(list)
        self.replies = 0
        self.groups = self.do(lambda tx: self._people(tx, count))

    async def _people(self, tx: Tx, count: int) -> list[int]:
        await tx.execute("TRUNCATE bots, groups, broadcasts, deliveries, group_turns, bot_slots, workers CASCADE")
        await bots.save(tx, make_bot(bot_id=BOT, username="bot"))
        await tx.execute("UPDATE bots SET per_second = $1", self.per_second)
        await slots.provide(tx)
        return [
            await groups.register(tx, BOT, ChatId(-nth), title="g", kind="supergroup") for nth in range(1, count + 1)
        ]

    @rule()
    def pace(self) -> None:
        """There is always something to send to everybody."""

        async def work(tx: Tx) -> list[Job]:
            await reaping.beat(tx, "sender")
            if await tx.fetchval("SELECT count(*) FROM deliveries WHERE state = 'pending'") < len(self.groups):
                await plan(tx)
            free = await slots.free(tx, AHEAD)
            found = await deliveries.candidates(tx, Counter(slot.bot_id for slot in free), AHEAD, turn=0)
            unique = list({c.group_id: c for c in reversed(found)}.values())
            pairs = list(zip(free, unique, strict=False))
            await slots.hold(tx, [(slot, str(c.delivery_id)) for slot, c in pairs])
            times = await in_hand.assign(tx, "deliveries", [(c, slot.free_at) for slot, c in pairs])
            return [Job(c.delivery_id, c.group_id, c.bot_id, slot.slot, times[c.delivery_id]) for slot, c in pairs]

        self.queue += self.do(work)

    @precondition(lambda self: self.queue)
    @rule(pick=PICK, late=st.sampled_from([0.0, 0.0, 0.01, 0.3, 2.0]), there=JITTER, back=JITTER)
    def send(self, pick: int, late: float, there: float, back: float) -> None:
        """At its slot or later."""
        job = self.queue.pop(pick % len(self.queue))
        if not self.do(lambda tx: deliveries.begin(tx, [(job.delivery_id, job.slot_at, job.bot_id)], "sender")):
            self.do(lambda tx: give_back(tx, job))
            return
        leaves = max(self.now(), job.slot_at.timestamp() + self.moved) + late
        self.arrive(job, leaves + self.there + there, self.back + back)
        self.chats[job.group_id].append(leaves + self.there + there)

    @rule(late=st.sampled_from([0.0, 0.0, 0.3]), there=JITTER, back=JITTER)
    def reply(self, late: float, there: float, back: float) -> None:
        """A dialogue's, in whatever slot nobody holds."""
        self.replies += 1
        for turn in self.do(lambda tx: slots.take(tx, BOT, 1, f"reply {self.replies}")):
            leaves = max(self.now(), turn.at.timestamp() + self.moved) + late
            self.arrive(turn, leaves + self.there + there, self.back + back)

    @precondition(lambda self: self.under_way)
    @rule(sooner=st.booleans(), seen=st.booleans())
    def answer(self, sooner: bool, seen: bool) -> None:  # noqa: FBT001 (drawn)
        """The first or the last; a process that has just started has seen no round trip."""
        self.under_way.sort(key=lambda each: each.answered)
        place = 0 if sooner else -1
        self.pass_until(self.under_way[place].answered)
        one = self.under_way.pop(place)
        floor = timedelta(seconds=self.there + self.back if seen else 0)
        free = free_at(self.clock(), floor)
        self.do(lambda tx: settle(tx, one.job, free))

    @precondition(lambda self: self.queue)
    @rule(pick=PICK)
    def a_job_is_lost(self, pick: int) -> None:
        del self.queue[pick % len(self.queue)]

    @precondition(lambda self: self.queue)
    @rule(pick=PICK)
    def a_job_turns_out_stale(self, pick: int) -> None:
        """Before its time, since its broadcast was paused."""
        job = self.queue.pop(pick % len(self.queue))
        self.do(lambda tx: give_back(tx, job))

    @rule(seconds=st.sampled_from([0.02, 0.15, 0.5, 1.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_until(self.now() + seconds)

    @rule()
    def reap(self) -> None:
        async def work(tx: Tx) -> None:
            await reaping.beat(tx, "sender")
            await in_hand.unslot(tx, "deliveries", LATE)
            await reaping.orphans(tx, SILENT)
            await reaping.stuck_slots(tx, STUCK)

        self.do(work)

    @rule(rounds=st.sampled_from([3, 8, 48]), there=JITTER, back=JITTER)
    def as_fast_as_may_be(self, rounds: int, there: float, back: float) -> None:
        """Slot after slot, each answered before the next: what a quiet hour is like."""
        for nth in range(min(rounds, 150 // self.per_second)):
            self.pace()
            quick = nth % 2
            while self.queue:
                self.send(0, 0.0, there * quick, back * (1 - quick))
            while self.under_way:
                self.answer(sooner=True, seen=True)
            if self.per_second == 1 or rounds > 5:
                self.time_passes(0.5)

    @rule(scarce=st.sampled_from(["bot_slots.free_at", "group_turns.next_at"]), stale=st.booleans())
    def just_before_it_is_free(self, scarce: str, stale: bool) -> None:  # noqa: FBT001 (drawn)
        """What is handed out ahead of its time is given back at once, and handed out anew."""
        self.time_passes(1.0)
        self.as_fast_as_may_be(1, 0.0, 0.0)
        table, column = scarce.split(".")
        query = f"SELECT min({column}) FROM {table} WHERE held_by IS NULL AND {column} > clock_timestamp()"  # noqa: S608
        first = self.do(lambda tx: tx.fetchval(query))
        if first is not None:
            self.pass_until(first.timestamp() + self.moved - 0.1)
        self.pace()
        while stale and self.queue:
            self.a_job_turns_out_stale(0)
        self.pace()
        while self.queue:
            self.send(0, 0.0, 0.0, 0.0)

    @invariant()
    def telegram_sees_no_more_than_it_allows(self) -> None:
        crowded(self.bots, self.per_second, 1.0, "of the bot")
        for group, times in self.chats.items():
            crowded(times, 1, 1.0, f"in group {group}")
            crowded(times, 20, 60.0, f"in group {group}")

    def arrive(self, job: Job | Turn, at: float, back: float) -> None:
        self.bots.append(at)
        self.under_way.append(UnderWay(job, at + back))

    def pass_until(self, when: float) -> None:
        """Nobody waits longer than 45 s for an answer: a call has a timeout."""
        seconds = when - self.now()
        if seconds > 0:
            self.do(lambda tx: shift(tx, timedelta(seconds=seconds)))
            self.queue = [
                Job(j.delivery_id, j.group_id, j.bot_id, j.slot, j.slot_at - timedelta(seconds=seconds))
                for j in self.queue
            ]
            self.under_way = [UnderWay(earlier(each.job, seconds), each.answered) for each in self.under_way]
            self.moved += seconds

    def clock(self) -> datetime:
        found: datetime = self.do(lambda tx: tx.fetchval("SELECT clock_timestamp()"))
        return found

    def now(self) -> float:
        return self.clock().timestamp() + self.moved

    def do(self, work: Callable[[Tx], Awaitable[ResultT]]) -> ResultT:
        async def transaction() -> ResultT:
            async with self.pool.transaction("test") as tx:
                return await work(tx)

        return self.runner.run(transaction())


def crowded(times: list[float], most: int, span: float, whose: str) -> None:
    """Telegram's windows slide, and are about when a request arrives."""
    ordered = sorted(times)
    for first, after in zip(ordered, ordered[most:], strict=False):
        assert after - first >= span, f"{most + 1} requests {whose} within {after - first:.4f} s"


def earlier(job: Job | Turn, seconds: float) -> Job | Turn:
    if isinstance(job, Turn):
        return job
    return Job(job.delivery_id, job.group_id, job.bot_id, job.slot, job.slot_at - timedelta(seconds=seconds))


async def plan(tx: Tx) -> None:
    """A message to everybody."""
    number = await broadcasts.create(tx, Targets(all_groups=True), {})
    targets = await broadcasts.targets_of(tx, number)
    assert targets is not None
    while await deliveries.plan(tx, number, targets, limit=1000):
        pass
    await broadcasts.planned(tx, number)


async def settle(tx: Tx, job: Job | Turn, free: datetime) -> None:
    """As a sender or the voice does with an answer."""
    if isinstance(job, Turn):
        await slots.give_back(tx, job, free)
    elif await deliveries.settle(tx, [Outcome(job.delivery_id, job.slot_at, "sent")]):
        await slots.release(tx, [Used(job.delivery_id, job.group_id, job.bot_id, [job.slot], free)])


def test_however_late_requests_and_answers_are_the_limits_hold(database_url: str) -> None:
    with asyncio.Runner() as runner:
        Arriving.runner, Arriving.pool = runner, make_pool(database_url)
        checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
        limits = settings(deadline=None, max_examples=12, stateful_step_count=20, suppress_health_check=checks)
        run(Arriving, settings=limits)
        runner.run(Arriving.pool.close())


def test_how_bold_the_smallest_round_trip_can_be() -> None:
    """It is believed to be the quickest way there and back. Where no call had both, a request may arrive early by the
    difference: the limiter knows nothing better from outside, and this is how much that is.
    """
    seen = Seen(100, 100 * 0.06, 0.06)  # 10 ms there and 50 back, and the other way round
    assert seen.floor == timedelta(seconds=0.06)
    answered = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    first_arrived = answered - timedelta(seconds=0.010)
    next_arrives = free_at(answered, seen.floor) + timedelta(seconds=0.010)
    early = timedelta(seconds=1) - (next_arrives - first_arrived)
    assert early == timedelta(seconds=0.06 - 0.02 - 0.0001)


@pytest.mark.parametrize("scarce", ["bot_slots.free_at", "group_turns.next_at"])
def test_what_turns_out_stale_just_before_its_time_lets_nobody_in_early(database_url: str, scarce: str) -> None:
    with asyncio.Runner() as runner:
        Arriving.runner, Arriving.pool = runner, make_pool(database_url)
        machine = Arriving()
        machine.fresh((1, 2) if scarce.startswith("bot") else (3, 1), 0.05, 0.05)
        machine.as_fast_as_may_be(8, 0.0, 0.0)
        machine.just_before_it_is_free(scarce, stale=True)
        assert len(machine.bots) >= 3
        machine.telegram_sees_no_more_than_it_allows()
        runner.run(Arriving.pool.close())
