"""Outages and late answers around an attempt: the ledger stays true, and nothing stays `sending` for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.errors import StoreUnavailable
from common.ids import BotId
from common.jobs import SendFinalMessage
from common.records import Candidate
from common.store import broadcasts, deliveries, in_hand, reaping, slots, steering
from common.store.deliveries import Outcome
from common.store.pool import Pool, Tx
from common.telegram import errors
from common.telegram.client import BotApi
from common.telegram.errors import TelegramError
from common.testing.polling import eventually

from .conftest import OWNER, Direct, Fleet

pytestmark = pytest.mark.timeout(60)
SLOT = datetime(2026, 1, 1, tzinfo=UTC)
HOLDER = "SELECT held_by FROM bot_slots WHERE bot_id = $1 AND slot = 1"


class Doubtful(Pool):
    """Commits, and then loses the answer: as many times as `lose` says of that transaction."""

    lose: Counter[str]

    @asynccontextmanager
    async def transaction(self, name: str) -> AsyncIterator[Tx]:
        """StoreUnavailable after the commit."""
        async with super().transaction(name) as tx:
            yield tx
        if self.lose[name] > 0:
            self.lose[name] -= 1
            raise StoreUnavailable("the connection was lost after the commit")


async def insisting(handle: Any, job: Any) -> None:
    """As the consumer does: a job is held while the database is away."""
    while True:
        try:
            await handle(job)
        except StoreUnavailable:
            await asyncio.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("name", ["intents", "outcomes", "content", "slots back", "withdraw"])
async def test_what_was_committed_in_doubt_is_neither_lost_nor_doubled(fleet: Fleet, brain: Direct, name: str) -> None:
    ids = await fleet.grow(20, BotId((await fleet.sim.admin("GET", "bots"))["bots"][0]["id"]))
    pool: Any = fleet.db.pool
    pool.__class__, pool.lose = Doubtful, Counter({name: 2, "intents": 2})
    brain.handle = lambda job: insisting(fleet.handle, job)
    broadcast_id = await fleet.broadcast(ids)
    await eventually(lambda: fleet.ended(broadcast_id), within=20)
    assert set((await fleet.ledger(broadcast_id)).values()) == {"sent"}
    assert Counter(await fleet.sent()) == Counter(fleet.groups[g] for g in ids)


async def test_an_attempt_that_was_given_up_changes_nothing_of_the_next_one(fleet: Fleet) -> None:
    """The sender slept, was taken for dead, and its answer comes while the second attempt is at Telegram."""
    broadcast_id, job = await one_sending(fleet)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE workers SET beat_at = now() - interval '1 min'")
        assert await reaping.orphans(tx, timedelta(seconds=8)) == 1
        assert await steering.again(tx, broadcast_id, "unknown") == 1
        later = job.slot_at + timedelta(seconds=1)
        await tx.execute("UPDATE deliveries SET state = 'slotted', slot_at = $1", later)
        assert len(await deliveries.begin(tx, [(job.delivery_id, later, job.bot_id)], OWNER)) == 1
        assert await deliveries.settle(tx, [Outcome(job.delivery_id, job.slot_at, "pending")]) == set()
    assert set((await fleet.ledger(broadcast_id)).values()) == {"sending"}


async def test_what_a_dead_sender_held_is_free_when_its_send_no_longer_counts(fleet: Fleet) -> None:
    """Its request may have arrived just now."""
    await one_sending(fleet)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE workers SET beat_at = now() - interval '1 min'")
        assert await reaping.orphans(tx, timedelta(seconds=8)) == 1
        assert await tx.fetchval("SELECT max(free_at) - now() FROM bot_slots") == timedelta(seconds=1)
        assert await tx.fetchval("SELECT next_at - now() FROM group_turns") == timedelta(seconds=1)


async def given_up(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, answer: TelegramError) -> int:
    """The broadcast of an attempt whose owner is taken for dead while Telegram thinks; then this is the answer."""
    broadcast_id, job = await one_sending(fleet)
    await slotted_again(fleet)

    async def call(*_: Any, **__: Any) -> Any:
        async with fleet.db.transaction() as tx:
            await tx.execute("UPDATE workers SET beat_at = now() - interval '1 min'")
            assert await reaping.orphans(tx, timedelta(seconds=8)) == 1
            await tx.execute("UPDATE bot_slots SET held_by = 'somebody' WHERE slot = 1")
        raise answer

    monkeypatch.setattr(BotApi, "call", call)
    await fleet.handle(job)
    return broadcast_id


async def test_a_late_answer_is_heard_though_it_settles_nothing_any_more(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the group is gone is true whoever asked; whether it failed is the next attempt's to say."""
    broadcast_id = await given_up(fleet, monkeypatch, errors.Gone("403 bot was kicked"))
    assert set((await fleet.ledger(broadcast_id)).values()) == {"unknown"}
    async with fleet.db.transaction() as tx:
        assert tuple(await tx.fetchrow("SELECT phase, failures FROM groups") or ()) == ("lost", 0)
        assert await tx.fetchval("SELECT count(*) FROM bot_slots WHERE held_by = 'somebody'") > 0


async def test_a_late_429_is_obeyed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    await given_up(fleet, monkeypatch, errors.Flood(300))
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM bots WHERE flood_until > now() + interval '4 min'") == 1


async def test_a_late_move_is_followed(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    await given_up(fleet, monkeypatch, errors.Migrated(-1007))
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT chat_id FROM groups WHERE phase <> 'migrated'") == -1007


async def test_a_stale_job_frees_nothing_of_the_later_one(fleet: Fleet) -> None:
    """Its message was delayed, its delivery has another slot, and that one's hold and turn stay."""
    broadcast_id, job = await one_sending(fleet)
    async with fleet.db.transaction() as tx:
        later = datetime.now(UTC) + timedelta(seconds=1)
        await tx.execute("UPDATE deliveries SET state = 'slotted', slot_at = $1, owner = NULL", later)
    await fleet.handle(job)
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval(HOLDER, job.bot_id) == str(job.delivery_id)
        assert await tx.fetchval("SELECT held_by FROM group_turns") == job.delivery_id
    assert set((await fleet.ledger(broadcast_id)).values()) == {"slotted"}


async def test_an_intent_is_taken_back_by_its_owner_alone(fleet: Fleet) -> None:
    """Another process has begun the same job meanwhile, and is at Telegram with it."""
    broadcast_id, job = await one_sending(fleet)
    for owner, state in (("another", "sending"), (OWNER, "slotted")):
        async with fleet.db.transaction() as tx:
            await in_hand.withdraw(tx, "deliveries", [(job.delivery_id, job.slot_at)], owner)
        assert set((await fleet.ledger(broadcast_id)).values()) == {state}


@pytest.mark.parametrize("faster", ["the stale job", "the pacer"])
async def test_a_stale_job_and_the_pacer_at_once(fleet: Fleet, faster: str) -> None:
    """Both name the delivery as the holder: what was handed out meanwhile would be given back with the rest."""
    _, job = await one_sending(fleet)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'pending', owner = NULL")
        await tx.execute("UPDATE group_turns SET held_by = NULL")
    candidate = Candidate(job.delivery_id, 1, job.group_id, BotId(job.bot_id), 5, SLOT)

    async def drop() -> set[int]:
        async with fleet.db.transaction() as back:
            found = await in_hand.drop(back, "deliveries", [(job.delivery_id, job.slot_at)])
            if faster == "the stale job":
                assert await assign() == {}, "it is passed over"
        return found

    async def assign() -> dict[int, datetime]:
        async with fleet.db.transaction() as pacer:
            handed = await in_hand.assign(pacer, "deliveries", [(candidate, datetime.now(UTC))])
            if faster == "the pacer":
                dropping = asyncio.create_task(drop())
                await asyncio.sleep(0.3)
        if faster == "the pacer":
            assert await dropping == set(), "somebody has it in hand"
        return handed

    first = await (drop() if faster == "the stale job" else assign())
    assert set(first) == {job.delivery_id}


async def test_a_slot_that_is_given_back_early_is_not_free_before_its_time(fleet: Fleet) -> None:
    """A job is looked at up to 100 ms before its slot; paused then, it must not let the next one in too early."""
    broadcast_id, job = await one_sending(fleet)
    ahead = datetime.now(UTC) + timedelta(seconds=20)
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'slotted', owner = NULL")
        await tx.execute("UPDATE bot_slots SET free_at = $1", ahead)
        await tx.execute("UPDATE group_turns SET next_at = $1", ahead)
        await broadcasts.pause(tx, broadcast_id, "test")
    await fleet.handle(job)
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval(HOLDER, job.bot_id) is None
        assert await tx.fetchval("SELECT min(free_at) FROM bot_slots") == ahead
        assert await tx.fetchrow("SELECT held_by, next_at FROM group_turns") == (None, ahead)
    assert set((await fleet.ledger(broadcast_id)).values()) == {"pending"}


@pytest.mark.parametrize("end", ["cancelled", "expired", "failed"])
async def test_what_may_have_arrived_never_ends_as_not_sent(fleet: Fleet, end: str) -> None:
    """The first attempt of `resend_once` is in doubt, and the second one does not happen, or is refused."""
    broadcast_id, job = await one_sending(fleet, on_unknown="resend_once")
    async with fleet.db.transaction() as tx:
        await deliveries.settle(tx, [Outcome(job.delivery_id, job.slot_at, "pending", reason="unknown")])
        if end == "cancelled":
            await broadcasts.cancel(tx, broadcast_id)
            await reaping.close_cancelled(tx)
        elif end == "expired":
            await tx.execute("UPDATE broadcasts SET expires_at = now()")
            await reaping.expire(tx)
        else:
            await tx.execute("UPDATE deliveries SET state = 'sending'")
            await deliveries.settle(tx, [Outcome(job.delivery_id, job.slot_at, "pending", reason="flood")])
            await tx.execute("UPDATE deliveries SET state = 'sending'")
            await deliveries.settle(tx, [Outcome(job.delivery_id, job.slot_at, "failed", reason="gone")])
    assert set((await fleet.ledger(broadcast_id)).values()) == {"unknown"}


async def one_sending(fleet: Fleet, **options: Any) -> tuple[int, SendFinalMessage]:
    """A delivery that is at Telegram, with its slot and its group's turn, and its job."""
    bot_id = BotId((await fleet.sim.admin("GET", "bots"))["bots"][0]["id"])
    (group_id,) = await fleet.grow(1, bot_id)
    broadcast_id = await fleet.broadcast([group_id], **options)
    async with fleet.db.transaction() as tx:
        number = await tx.fetchval("UPDATE deliveries SET state = 'slotted', slot_at = $1 RETURNING delivery_id", SLOT)
        await slots.provide(tx)
        await tx.execute("UPDATE bot_slots SET held_by = $2 WHERE bot_id = $1 AND slot = 1", bot_id, str(number))
        await tx.execute("UPDATE group_turns SET held_by = $1", number)
        assert len(await deliveries.begin(tx, [(number, SLOT, bot_id)], OWNER)) == 1
    return broadcast_id, SendFinalMessage(delivery_id=number, group_id=group_id, bot_id=bot_id, slot=1, slot_at=SLOT)


async def slotted_again(fleet: Fleet) -> None:
    """As it was before its intent."""
    async with fleet.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'slotted', owner = NULL, attempts = 0")
