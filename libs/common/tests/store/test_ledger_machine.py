"""H1: whatever pacer, senders, reaper and operators do in whatever order, the ledger says what Telegram did."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
from common.ids import BotId, ChatId
from common.store import bots, broadcasts, deliveries, groups, in_hand, reaping, slots, steering
from common.store.broadcasts import Targets
from common.store.pool import Pool, Tx
from common.testing.builders import make_bot
from common.testing.postgres import make_pool
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from .ledger_steps import AHEAD, LATE, SILENT, STUCK, Attempt, Job, give_back, row, settle, shift

pytestmark = pytest.mark.timeout(180)  # it takes 20 s on an idle machine

ResultT = TypeVar("ResultT")
OPEN, OVER = {"pending", "slotted", "sending"}, {"sent", "failed", "unknown", "cancelled", "expired"}
ENDS = ("sent", "failed", "flood", "not sent", "unknown, there", "unknown, there", "unknown, not there", "bot flood")
PICK = st.integers(0, 1_000)


class Sending(RuleBasedStateMachine):
    """Two bots with two slots each, five groups; time passes by moving every time in the database back."""

    pool: Pool
    runner: asyncio.Runner

    @initialize()
    def fresh(self) -> None:
        self.queue: list[Job] = []
        self.hands: list[Attempt] = []
        self.copies = Counter[tuple[int, int]]()  # messages by broadcast and group
        self.allowed = Counter[tuple[int, int]]()  # beside the first: what operators and resend_once accept
        self.seen_by_operator = set[tuple[int, int]]()
        self.targets: dict[int, list[int]] = {}
        self.modes: dict[int, str] = {}
        self.before: dict[tuple[int, int], str] = {}
        self.may_leave = set[tuple[int, int]]()  # rows that an operator has just opened again
        self.owners = ["a1", "b1"]
        self.begun, self.latest = 0, dict[int, int]()  # attempts, and each delivery's last
        self.groups = self.do(self._people)

    async def _people(self, tx: Tx) -> list[int]:
        await tx.execute("TRUNCATE bots, groups, broadcasts, deliveries, group_turns, bot_slots, workers CASCADE")
        made: list[int] = []
        for bot_id, count in ((BotId(1), 3), (BotId(2), 2)):
            await bots.save(tx, make_bot(bot_id=bot_id, username=f"bot{bot_id}"))
            for _ in range(count):
                chat = ChatId(-1000 - len(made))
                made.append(await groups.register(tx, bot_id, chat, title="g", kind="supergroup"))
        await tx.execute("UPDATE bots SET per_second = 2")
        await slots.provide(tx)
        for owner in self.owners:
            await reaping.beat(tx, owner)
        return made

    @precondition(lambda self: len(self.targets) < 4)
    @rule(mode=st.sampled_from(["report", "resend_once"]), some=st.sets(st.integers(0, 4), min_size=1))
    def plan(self, mode: str, some: set[int]) -> None:
        wanted = [self.groups[nth] for nth in sorted(some)]

        async def work(tx: Tx) -> int:
            number = await broadcasts.create(tx, Targets(group_ids=wanted), {}, on_unknown=mode)
            targets = await broadcasts.targets_of(tx, number)
            assert targets is not None
            while await deliveries.plan(tx, number, targets, limit=2):
                pass
            await broadcasts.planned(tx, number)
            return number

        number = self.do(work)
        self.targets[number], self.modes[number] = wanted, mode

    @rule(owner=st.integers(0, 1), twice=st.booleans())
    def pace_and_begin(self, owner: int, twice: bool) -> None:  # noqa: FBT001 (drawn)
        """The usual course, or every message comes twice."""
        self.pace()
        self.queue *= 1 + twice
        while self.queue:
            self.begin(0, owner, doubt=False)

    @rule()
    def pace(self) -> None:
        async def work(tx: Tx) -> list[Job]:
            free = await slots.free(tx, AHEAD)
            found = await deliveries.candidates(tx, Counter(slot.bot_id for slot in free), AHEAD, turn=0)
            pairs, taken = [], set()
            for slot in free:
                mine = [c for c in found if c.bot_id == slot.bot_id and c.group_id not in taken]
                if mine:
                    pairs.append((slot, mine[0]))
                    taken.add(mine[0].group_id)
            await slots.hold(tx, [(slot, str(c.delivery_id)) for slot, c in pairs])
            times = await in_hand.assign(tx, "deliveries", [(c, slot.free_at) for slot, c in pairs])
            return [Job(c.delivery_id, c.group_id, c.bot_id, slot.slot, times[c.delivery_id]) for slot, c in pairs]

        self.queue += self.do(work)

    @precondition(lambda self: self.queue)
    @rule(pick=PICK)
    def a_job_is_lost(self, pick: int) -> None:
        del self.queue[pick % len(self.queue)]

    @precondition(lambda self: self.queue)
    @rule(pick=PICK)
    def a_job_comes_twice(self, pick: int) -> None:
        self.queue.append(self.queue[pick % len(self.queue)])

    @precondition(lambda self: self.queue)
    @rule(pick=PICK, owner=st.integers(0, 1), doubt=st.booleans())
    def begin(self, pick: int, owner: int, doubt: bool) -> None:  # noqa: FBT001 (drawn)
        """With `doubt` it is committed, and the sender is told of an error: it sends nothing and takes it back."""
        job, name = self.queue.pop(pick % len(self.queue)), self.owners[owner]
        rows = self.do(lambda tx: deliveries.begin(tx, [(job.delivery_id, job.slot_at, job.bot_id)], name))
        if rows and doubt:
            self.do(lambda tx: in_hand.withdraw(tx, "deliveries", [(job.delivery_id, job.slot_at)], name))
            self.queue.append(job)
        elif rows:
            self.begun += 1
            self.hands.append(Attempt(name, job, rows[0], self.begun))
            self.latest[job.delivery_id] = self.begun
        else:
            self.do(lambda tx: give_back(tx, job))

    @precondition(lambda self: self.hands)
    @rule(pick=PICK, end=st.sampled_from(ENDS))
    def answer(self, pick: int, end: str) -> None:
        attempt = self.hands.pop(pick % len(self.hands))
        begun = attempt.begun
        if end in {"sent", "unknown, there"}:
            self.copies[begun.broadcast_id, begun.group_id] += 1
        key = (begun.broadcast_id, begun.group_id)
        given_up = self.latest[attempt.job.delivery_id] != attempt.number or self.states()[key] != "sending"
        before = self.do(lambda tx: row(tx, attempt.job))
        self.do(lambda tx: settle(tx, attempt, end))
        assert not given_up or self.do(lambda tx: row(tx, attempt.job)) == before, "a late answer changed the row"

    @rule(end=st.sampled_from(ENDS))
    def all_are_answered(self, end: str) -> None:
        while self.hands:
            self.answer(0, end)

    @precondition(lambda self: self.hands)
    @rule(pick=PICK)
    def the_owner_is_killed(self, pick: int) -> None:
        """Its requests may have arrived or not; another process takes its place."""
        gone = self.hands[pick % len(self.hands)].owner
        for attempt in [each for each in self.hands if each.owner == gone]:
            self.copies[attempt.begun.broadcast_id, attempt.begun.group_id] += (pick + attempt.job.delivery_id) % 2
        self.hands = [each for each in self.hands if each.owner != gone]
        nth = self.owners.index(gone)
        self.owners[nth] = f"{gone[0]}{int(gone[1:]) + 1}"
        self.do(lambda tx: reaping.beat(tx, self.owners[nth]))

    @rule(seconds=st.sampled_from([0.05, 1.2, 6.0, 9.0]))
    def time_passes(self, seconds: float) -> None:
        """An attempt takes 45 s at most: its call has a timeout, and its slot would be taken back."""
        while self.hands and max(each.age for each in self.hands) + seconds > 45:
            self.answer(0, "unknown, not there")
        self.hands = [replace(each, age=each.age + seconds) for each in self.hands]
        passed = timedelta(seconds=seconds)
        self.queue = [replace(job, slot_at=job.slot_at - passed) for job in self.queue]
        self.hands = [replace(a, job=replace(a.job, slot_at=a.job.slot_at - passed)) for a in self.hands]
        self.do(lambda tx: shift(tx, passed))

    @rule(seconds=st.sampled_from([0.0, 1.2, 6.0, 9.0]), beating=st.sets(st.integers(0, 1)))
    def reap(self, seconds: float, beating: set[int]) -> None:
        """Some who live may sleep, and be taken for dead."""
        if seconds:
            self.time_passes(seconds)

        async def work(tx: Tx) -> None:
            for nth in beating:
                await reaping.beat(tx, self.owners[nth])
            await in_hand.unslot(tx, "deliveries", LATE)
            await reaping.orphans(tx, SILENT)
            await reaping.stuck_slots(tx, STUCK)
            await reaping.close_cancelled(tx)
            await reaping.expire(tx)
            await broadcasts.finish(tx)

        self.do(work)

    @precondition(lambda self: self.targets)
    @rule(pick=PICK, what=st.sampled_from(["pause", "resume", "resume"]))
    def steer(self, pick: int, what: str) -> None:
        number = sorted(self.targets)[pick % len(self.targets)]

        async def work(tx: Tx) -> None:
            match what:
                case "pause":
                    await broadcasts.pause(tx, number, "operator")
                case "resume":
                    await broadcasts.resume(tx, number)
                case "cancel":
                    await broadcasts.cancel(tx, number)
                case _:
                    await tx.execute("UPDATE broadcasts SET expires_at = now() WHERE broadcast_id = $1", number)

        self.do(work)

    @precondition(lambda self: self.targets)
    @rule(pick=PICK, what=st.sampled_from(["cancel", "expire"]))
    def end_early(self, pick: int, what: str) -> None:
        self.steer(pick, what)
        self.reap(0.0, {0, 1})

    @rule(owner=st.integers(0, 1), end=st.sampled_from([*ENDS, None]))
    def all_sleep_and_others_go_on(self, owner: int, end: str | None) -> None:
        """The answers to the first attempts come while the next ones are under way, or later."""
        late = len(self.hands)
        self.reap(9.0, set())
        self.time_passes(1.2)
        self.pace_and_begin(owner, twice=False)
        for _ in range(late if end else 0):
            if self.hands:
                self.answer(0, end or "")

    @precondition(lambda self: self.targets)
    @rule(pick=PICK, what=st.sampled_from(["retry", "resolve as sent", "resolve by resending"]))
    def mend(self, pick: int, what: str) -> None:
        """The API does it to what is running, paused or done, and not expired."""
        number = sorted(self.targets)[pick % len(self.targets)]
        standing = self.do(lambda tx: steering.lock(tx, number, None))
        if standing is None or standing.state == "cancelled" or standing.expired:
            return
        state = "failed" if what == "retry" else "unknown"
        chosen = {key for key, found in self.states().items() if key[0] == number and found == state}
        if what == "resolve as sent":
            self.do(lambda tx: steering.mark_sent(tx, number))
            self.seen_by_operator |= chosen
        else:
            self.do(lambda tx: steering.again(tx, number, state))
            if state == "unknown":
                self.allowed.update(chosen)
        self.may_leave |= chosen

    @invariant()
    def the_ledger_says_what_telegram_did(self) -> None:
        states = self.states()
        assert set(states) == {(number, group) for number, wanted in self.targets.items() for group in wanted}
        for key, state in states.items():
            copies, accepted = self.copies[key], self.allowed[key]
            most = (2 if self.modes[key[0]] == "resend_once" else 1) * (1 + accepted)
            assert copies <= most, f"{key} has {copies} copies"
            if state == "sent":
                assert copies or key in self.seen_by_operator, f"{key} says sent"
            if state in {"failed", "cancelled", "expired"} and not accepted:
                assert not copies, f"{key} says {state}, and was delivered"
            old = self.before.get(key)
            if old in OVER and old != state:
                assert key in self.may_leave, f"{key} went from {old} to {state}"
        self.before, self.may_leave = states, set()

    @invariant()
    def who_is_at_telegram_holds_a_slot_and_the_turn(self) -> None:
        rows = self.do(
            lambda tx: tx.fetch(
                """SELECT d.delivery_id, d.owner, t.held_by = d.delivery_id AS turn,
                       (SELECT count(*) FROM bot_slots s WHERE s.held_by = d.delivery_id::text) AS slots
                   FROM deliveries d JOIN group_turns t USING (group_id) WHERE d.state = 'sending'"""
            )
        )
        assert [tuple(row) for row in rows if not row["turn"] or row["slots"] != 1] == []
        in_hand = {(attempt.owner, attempt.job.delivery_id) for attempt in self.hands}
        alive = {(row["owner"], row["delivery_id"]) for row in rows if row["owner"] in self.owners}
        assert alive <= in_hand, "somebody who lives has forgotten what it is sending"

    def teardown(self) -> None:
        """Everybody dies, time passes, and with good senders everything comes to its end; nothing is left held."""
        if not hasattr(self, "groups"):
            return
        self.hands, self.queue = [], []  # whoever had them is gone
        for _ in range(5):
            self.do(lambda tx: shift(tx, timedelta(seconds=100)))
            for number in self.targets:
                self.do(lambda tx, number=number: broadcasts.resume(tx, number))  # type: ignore[misc]
            self.reap(0.0, set())
        self.owners = ["c1", "d1"]
        for _ in range(30):
            self.reap(9.0, {0})
            self.pace()
            while self.queue:
                self.begin(0, 0, doubt=False)
            while self.hands:
                self.answer(0, "sent")
            if not OPEN & set(self.states().values()):
                break
        assert {key: state for key, state in self.states().items() if state in OPEN} == {}
        assert self.do(lambda tx: tx.fetchval("SELECT count(*) FROM bot_slots WHERE held_by IS NOT NULL")) == 0
        assert self.do(lambda tx: tx.fetchval("SELECT count(*) FROM group_turns WHERE held_by IS NOT NULL")) == 0

    def states(self) -> dict[tuple[int, int], str]:
        rows = self.do(lambda tx: tx.fetch("SELECT broadcast_id, group_id, state FROM deliveries"))
        return {(row["broadcast_id"], row["group_id"]): row["state"] for row in rows}

    def do(self, work: Callable[[Tx], Awaitable[ResultT]]) -> ResultT:
        async def transaction() -> ResultT:
            async with self.pool.transaction("test") as tx:
                return await work(tx)

        return self.runner.run(transaction())


def test_in_any_order_the_ledger_says_what_telegram_did(database_url: str) -> None:
    with asyncio.Runner() as runner:
        Sending.runner, Sending.pool = runner, make_pool(database_url)
        checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
        run(
            Sending,
            settings=settings(deadline=None, max_examples=35, stateful_step_count=50, suppress_health_check=checks),
        )
        runner.run(Sending.pool.close())
