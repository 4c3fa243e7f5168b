"""Webhooks are told over real TLS: signed, retried, ended, each at its own pace, and at least once."""

from __future__ import annotations

import asyncio
import base64
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from common.keys import KeyRing
from common.store import broadcasts, webhook_messages, webhooks
from common.store.broadcasts import Targets
from common.store.webhooks import Sealed
from common.telegram.secrets import SigningVault
from common.testing.polling import eventually
from common.testing.postgres import Database
from tgms import housekeeping
from tgms.hooks import Hooks
from tgms.leader import Leader

from .receiver import HANGS, Receiver, certify, door, listening

pytestmark = pytest.mark.timeout(60)
KEYS = f"1:{'11' * 32}"
VAULT = SigningVault(KeyRing.from_hex(KEYS))
A, B = "a.shop.com", "b.shop.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certify(tmp_path_factory.mktemp("tls"), A, B)


@dataclass
class Stage:
    """Two receivers, and a brain to tell them."""

    db: Database
    a: Receiver
    b: Receiver
    certificate: Path
    hooks: Callable[..., Any]

    async def register(self, receiver: Receiver, *kinds: str, bot_ids: list[int] | None = None) -> int:
        receiver.secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        async with self.db.transaction() as tx:
            webhook_id = await webhooks.new_id(tx)
            await webhooks.add(
                tx, webhook_id, receiver.url, Sealed(*VAULT.seal(webhook_id, receiver.secret)),
                kinds=list(kinds or ("broadcast.cancelled",)), bot_ids=bot_ids, enabled=True, created_by="key:test",
            )  # fmt: skip
        return webhook_id

    async def cancel(self, n: int = 1) -> list[int]:
        made = []
        async with self.db.transaction() as tx:
            for _ in range(n):
                made.append(await broadcasts.create(tx, Targets(all_groups=True), {"method": "x"}))
                assert await broadcasts.cancel(tx, made[-1])
        return made

    async def rows(self, table: str) -> list[dict[str, Any]]:
        async with self.db.transaction() as tx:
            return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608 (our own names)

    async def settled(self, state: str, n: int = 1) -> list[dict[str, Any]] | None:
        found = [row for row in await self.rows("webhook_messages") if row["state"] == state]
        return found if len(found) >= n else None

    async def execute(self, sql: str, *values: Any) -> None:
        async with self.db.transaction() as tx:
            await tx.execute(sql, *values)


@pytest.fixture
async def stage(db: Database, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    a, b = Receiver(A), Receiver(B)
    async with listening((a, b), certificate):

        @asynccontextmanager
        async def telling(**options: Any) -> AsyncIterator[Hooks]:
            with monkeypatch.context() as patch:
                out = door({A: a.port, B: b.port}, certificate, patch, **options)
                stop, leader = asyncio.Event(), Leader(db.pool, ttl=5)
                hooks = Hooks(db.pool, leader, VAULT, out)
                loops = [asyncio.create_task(work) for work in (leader.run(stop), hooks.run(stop))]
                try:
                    yield hooks
                finally:
                    stop.set()
                    await asyncio.gather(*loops)
                    await out.aclose()

        yield Stage(db, a, b, certificate, telling)


async def test_an_event_arrives_signed_and_whole(stage: Stage) -> None:
    await stage.register(stage.a)
    async with stage.hooks():
        [broadcast_id] = await stage.cancel()
        [row] = await eventually(lambda: stage.settled("delivered"))
    [told] = stage.a.got  # its signature was checked by the receiver
    [event] = await stage.rows("events")
    assert told["id"] == told["webhook-id"] == f"evt_{event['event_id']}"
    assert told["type"] == "broadcast.cancelled"
    assert told["timestamp"].endswith("Z")
    assert told["data"] == {"broadcast_id": broadcast_id, "state": "cancelled", "total": 0}
    assert told["headers"]["Content-Type"] == "application/json"
    assert (row["attempts"], row["status"], row["reason"]) == (1, 204, None)
    assert stage.b.got == []


async def test_who_has_another_webhooks_secret_refuses_it(stage: Stage) -> None:
    await stage.register(stage.a)
    own = stage.a.secret
    await stage.register(stage.a)
    stage.a.secret, other = own, stage.a.secret
    assert own != other
    async with stage.hooks():
        await stage.cancel()
        [taken] = await eventually(lambda: stage.settled("delivered"))
        [refused] = await eventually(lambda: unanswered(stage))
    assert refused["reason"] == "answered 500"
    assert taken["webhook_id"] < refused["webhook_id"]
    assert len(stage.a.got) == 1


async def unanswered(stage: Stage) -> list[dict[str, Any]]:
    """What failed and is tried again later."""
    return [row for row in await stage.rows("webhook_messages") if row["state"] == "pending" and row["reason"]]


async def test_while_two_secrets_live_either_verifies(stage: Stage) -> None:
    webhook_id = await stage.register(stage.a)
    old, new = stage.a.secret, f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    async with stage.db.transaction() as tx:
        sealed = Sealed(*VAULT.seal(webhook_id, new))
        await webhooks.rotate(tx, webhook_id, sealed, timedelta(hours=1))
    async with stage.hooks():
        await stage.cancel()  # the receiver still knows the old one alone
        await eventually(lambda: stage.settled("delivered"))
        assert len(stage.a.got[0]["headers"]["webhook-signature"].split()) == 2
        stage.a.secret = new
        await stage.cancel()
        await eventually(lambda: stage.settled("delivered", 2))
        await stage.execute("UPDATE webhooks SET old_until = now() - interval '1 s'")
        await stage.cancel()
        await eventually(lambda: stage.settled("delivered", 3))
        assert len(stage.a.got[2]["headers"]["webhook-signature"].split()) == 1
    assert old != new


async def test_a_failure_is_tried_again_under_the_same_name(stage: Stage) -> None:
    await stage.register(stage.a)
    stage.a.answers = [500, 302, 204]
    async with stage.hooks():
        await stage.cancel()
        for n, reason in ((1, "answered 500"), (2, "answered 302")):
            await eventually(lambda n=n: len(stage.a.got) == n)  # type: ignore[misc]  # mypy knows no such default
            await eventually(lambda reason=reason: waits(stage, reason))  # type: ignore[misc]  # as above
            assert (await stage.rows("webhooks"))[0]["failing_since"] is not None
            await stage.execute("UPDATE webhook_messages SET due_at = now()")
        [row] = await eventually(lambda: stage.settled("delivered"))
    assert row["attempts"] == 3
    assert len(set(stage.a.ids)) == 1
    stamps = [int(one["headers"]["webhook-timestamp"]) for one in stage.a.got]
    assert stamps == sorted(stamps)
    assert (await stage.rows("webhooks"))[0]["failing_since"] is None


async def waits(stage: Stage, reason: str) -> bool:
    """The message, between two attempts."""
    [row] = await stage.rows("webhook_messages")
    return bool(row["state"] == "pending" and row["reason"] == reason)


async def test_the_first_delay_passes_by_the_clock(stage: Stage) -> None:
    await stage.register(stage.a)
    stage.a.answers = [503, 204]
    async with stage.hooks():
        await stage.cancel()
        await eventually(lambda: stage.settled("delivered"), within=12)
    first, second = stage.a.times
    assert 4.9 <= second - first < 7


async def test_gone_disables_it_and_keeps_what_comes(stage: Stage) -> None:
    await stage.register(stage.a)
    stage.a.answers = [410]
    async with stage.hooks():
        await stage.cancel()
        [row] = await eventually(lambda: stage.settled("failed"))
        assert (row["status"], row["reason"]) == (410, "answered 410")
        [webhook] = await stage.rows("webhooks")
        assert (webhook["enabled"], webhook["disabled_reason"]) == (False, "it answered 410 Gone")
        await stage.cancel()
        await asyncio.sleep(1.2)  # two rounds
        assert len(stage.a.got) == 1
        stage.a.answers = [204]
        async with stage.db.transaction() as tx:
            await webhooks.save(tx, webhook["webhook_id"], url=stage.a.url, kinds=webhook["kinds"], enabled=True)
        await eventually(lambda: stage.settled("delivered"))
    assert len(stage.a.got) == 2


async def test_three_days_of_failures_disable_it(stage: Stage) -> None:
    await stage.register(stage.a)
    stage.a.answers = [500]
    await stage.cancel()
    await stage.execute("UPDATE webhook_messages SET first_tried_at = now() - interval '3 days', attempts = 9")
    await stage.execute("UPDATE webhooks SET failing_since = now() - interval '3 days', updated_at = 'epoch'")
    async with stage.hooks():
        await eventually(lambda: stage.settled("failed"))
    [webhook] = await stage.rows("webhooks")
    assert (webhook["enabled"], webhook["disabled_reason"]) == (False, "it failed for 3 days")


async def test_enabled_again_what_it_failed_to_take_is_tried_as_if_for_the_first_time(stage: Stage) -> None:
    webhook_id = await stage.register(stage.a)
    stage.a.answers = [503, 204]
    await stage.cancel()
    await stage.execute("UPDATE webhook_messages SET first_tried_at = now() - interval '4 days', attempts = 7")
    async with stage.db.transaction() as tx:
        assert await webhooks.disable(tx, webhook_id, stage.a.url, "it failed for 3 days")
        await webhooks.save(tx, webhook_id, url=stage.a.url, kinds=["broadcast.cancelled"], enabled=True)
    async with stage.hooks():
        [row] = await eventually(lambda: stage.settled("delivered"), within=12)  # after the first step
    assert row["attempts"] == 2


async def test_removed_while_its_failure_is_written_neither_waits_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure locks its request, then the webhook: who removes it must not go the other way."""
    webhook_id = await stage.register(stage.a)
    stage.a.answers = [500]
    await stage.cancel()
    settled, settle = asyncio.Event(), webhook_messages.settle

    async def slowly(*values: Any, **options: Any) -> bool:
        done = await settle(*values, **options)
        settled.set()
        await asyncio.sleep(0.3)
        return done

    monkeypatch.setattr(webhook_messages, "settle", slowly)
    async with stage.hooks():
        await asyncio.wait_for(settled.wait(), 10)
        async with stage.db.transaction() as tx:
            assert await webhooks.lock(tx, webhook_id, None)
            await webhooks.remove(tx, webhook_id)
    [row] = await stage.rows("webhook_messages")
    assert (row["state"], row["reason"]) == ("pending", "answered 500")


async def test_a_slow_one_does_not_delay_another(stage: Stage) -> None:
    await stage.register(stage.a)
    await stage.register(stage.b)
    stage.a.answers = [HANGS]
    async with stage.hooks(timeout=4.0):
        await stage.cancel(40)
        await eventually(lambda: len(stage.b.got) == 40, within=3.5)
        assert 1 <= len(stage.a.got) <= 4  # its own turns, all taken
    assert max(stage.b.times) - min(stage.b.times) < 3.5


async def test_while_it_fails_it_has_one_turn(stage: Stage) -> None:
    await stage.register(stage.a)
    stage.a.answers = [HANGS]
    await stage.execute("UPDATE webhooks SET failing_since = now()")
    async with stage.hooks(timeout=1.5):
        await stage.cancel(10)
        await eventually(lambda: stage.a.got)
        await asyncio.sleep(1)
        assert len(stage.a.got) == 1


async def test_killed_in_the_middle_it_is_told_again(stage: Stage) -> None:
    """The process dies while the receiver has the request; the next one asks under the same name."""
    await stage.register(stage.a)
    stage.a.answers = [HANGS, 204]
    words = [
        sys.executable, str(Path(__file__).with_name("hooks_process.py")), stage.db.url, str(stage.certificate),
        f"{A}={stage.a.port}",
    ]  # fmt: skip
    first = subprocess.Popen(words)  # noqa: ASYNC220 (does not wait)
    try:
        await stage.cancel(3)
        await asyncio.wait_for(stage.a.hanging.wait(), 15)
        first.send_signal(signal.SIGKILL)
        first.wait()
        second = subprocess.Popen(words)  # noqa: ASYNC220 (does not wait)
        try:
            await eventually(lambda: stage.settled("delivered", 3), within=20)
        finally:
            second.kill()
            second.wait()
    finally:
        first.kill()
        first.wait()
    events = {f"evt_{row['event_id']}" for row in await stage.rows("events")}
    assert set(stage.a.ids) == events
    assert len(stage.a.ids) > 3  # one of them twice


async def test_who_lost_the_lease_tells_nobody(stage: Stage) -> None:
    await stage.register(stage.a)
    await stage.cancel()
    old = Leader(stage.db.pool, ttl=60)
    await old._renew()
    await stage.execute("UPDATE leases SET holder = 'another', epoch = epoch + 1")
    await Hooks(stage.db.pool, old, VAULT, Any)._round()  # type: ignore[arg-type]  # nothing is asked of it
    assert (await stage.rows("webhook_messages"))[0]["attempts"] == 0


async def test_sends_go_out_together_a_hundred_at_most(stage: Stage) -> None:
    webhook_id = await stage.register(stage.a, "delivery.sent")
    async with stage.db.transaction() as tx:
        await tx.execute(
            """INSERT INTO events (kind, bot_ids, data) SELECT 'delivery.sent', '{1}', jsonb_build_object('n', n)
               FROM generate_series(1, 250) n"""
        )
        await tx.execute("INSERT INTO webhook_waiting SELECT $1, event_id FROM events", webhook_id)
    async with stage.hooks():
        await eventually(lambda: stage.settled("delivered", 3))
    sizes = [len(one["data"]["events"]) for one in stage.a.got]
    assert sorted(sizes) == [50, 100, 100]
    numbers = [event["data"]["n"] for one in stage.a.got for event in one["data"]["events"]]
    assert sorted(numbers) == list(range(1, 251))
    assert all(one["webhook-id"].startswith("bat_") for one in stage.a.got)
    async with stage.db.transaction() as tx:
        again = await webhook_messages.replay_since(tx, webhook_id, (await stage.rows("events"))[0]["at"])
    assert again == (250, None)
    async with stage.hooks():
        await eventually(lambda: stage.settled("delivered", 6))
    assert len(set(stage.a.ids)) == 6  # a batch that was made anew has a name of its own


async def test_a_secret_that_does_not_open_is_told_and_waits(stage: Stage) -> None:
    await stage.register(stage.a)
    await stage.execute("UPDATE webhooks SET secret_key = '9'")
    async with stage.hooks():
        await stage.cancel()
        await eventually(lambda: waits(stage, "its secret does not open: rotate it"))
    assert stage.a.got == []


async def test_secrets_move_to_the_current_key(stage: Stage) -> None:
    webhook_id = await stage.register(stage.a)
    both = SigningVault(KeyRing.from_hex(f"2:{'22' * 32},{KEYS}"))
    leader = Leader(stage.db.pool, ttl=5)
    await leader._renew()
    await Hooks(stage.db.pool, leader, both, Any)._round()  # type: ignore[arg-type]  # nothing is asked of it
    [row] = await stage.rows("webhooks")
    assert row["secret_key"] == "2"
    alone = SigningVault(KeyRing.from_hex(f"2:{'22' * 32}"))
    assert alone.open(webhook_id, row["secret"], "2") == stage.a.secret


async def test_what_is_older_than_a_week_goes(stage: Stage) -> None:
    await stage.register(stage.a)
    await stage.cancel(3)
    await stage.execute("UPDATE events SET at = now() - interval '8 days' WHERE event_id < 3")
    await stage.execute("UPDATE webhook_messages SET created_at = now() - interval '8 days' WHERE message_id < 3")
    leader = Leader(stage.db.pool, ttl=5)
    await leader._renew()
    await housekeeping._prune(stage.db.pool, leader, timedelta(days=8))
    assert [len(await stage.rows(table)) for table in ("events", "webhook_messages")] == [1, 1]


async def test_nothing_of_it_is_in_the_logs(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    await stage.register(stage.a)
    stage.a.answers = [500, 410]
    caplog.set_level("DEBUG")
    async with stage.hooks():
        await stage.cancel(2)
        await eventually(lambda: len(stage.a.got) == 2)
        await eventually(lambda: stage.settled("failed"))
    text = "".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "a webhook failed" in text
    assert A not in text
    assert "whsec_" not in text
