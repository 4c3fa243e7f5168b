"""What looks dead after an outage is left alone until the living have had time to beat; sends and revisions alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from common.store import reaping
from common.store.pool import Tx
from common.testing.postgres import Database
from tgms.leader import Leader
from tgms.reaper import Reaper
from tgms.revisions import Revisions
from tgms.rules import patience
from tgms.rules.patience import Steadiness

LOOPS = ["reaper", "revisions"]
SENDING = """
INSERT INTO bots (bot_id, username, token, token_key) VALUES (1, 'b1', 'x', 'k1');
INSERT INTO groups (bot_id, chat_id) VALUES (1, -1);
INSERT INTO broadcasts (state, content) VALUES ('running', '{}');
INSERT INTO deliveries (broadcast_id, group_id, bot_id, state, slot_at, owner)
    SELECT 1, group_id, 1, 'sending', now(), 'silent' FROM groups;
INSERT INTO revisions (broadcast_id, kind, priority, planned) VALUES (1, 'recall', 10, true);
INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id, state, slot_at, owner)
    SELECT 1, delivery_id, group_id, 1, 'sending', now(), 'silent' FROM deliveries;
"""


def test_steady_is_who_had_no_gap_for_a_while() -> None:
    steadiness = Steadiness()

    def after_round(begun: float, took: float = 0.0, ahead: float = 100.0) -> bool:
        steady = steadiness.begins(begun, ahead)
        steadiness.ended(begun + took)
        return steady

    assert [after_round(float(second)) for second in range(7)] == [False] * 5 + [True] * 2
    assert not after_round(9.5), "3.5 s without a round: the database was away"
    assert [after_round(9.5 + second) for second in range(1, 6)] == [False] * 4 + [True]
    assert [after_round(15.5 + 5.0 * n, took=4.0) for n in range(5)] == [True] * 5, "slow rounds are no outage"
    assert steadiness.begins(40.0, 100.9), "its answer took a while"
    assert not steadiness.begins(43.0, 100.0), "the round before came to no end"
    assert [after_round(43.0 + second) for second in range(1, 7)] == [False] * 5 + [True]
    assert not after_round(50.0, ahead=130.0), "the database's clock was set, or ours stood still"
    assert [after_round(50.0 + second, ahead=130.0) for second in range(1, 6)] == [False] * 4 + [True]
    assert not after_round(56.0, ahead=100.0), "it was set back"


@pytest.mark.parametrize("loop", LOOPS)
async def test_nothing_is_taken_for_dead_right_after_a_gap(
    db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    async with db.transaction() as tx:
        await tx.execute(SENDING)
    work = worker(db, leader, loop)
    assert await owner_after_round(db, work, loop) == "silent"
    monkeypatch.setattr(patience, "_STEADY", 0.0)
    assert await owner_after_round(db, work, loop) is None


@pytest.mark.parametrize("loop", LOOPS)
async def test_nothing_is_taken_for_dead_when_the_databases_clock_was_set_forward(
    db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    """For whoever reads the tables each beat is half a minute old at once, and one more comes within two seconds."""
    monkeypatch.setattr(patience, "_STEADY", 0.3)
    async with db.transaction() as tx:
        await tx.execute(SENDING)
        await reaping.beat(tx, "silent")
        ahead = await reaping.ahead(tx)
    work = worker(db, leader, loop)
    for _ in range(4):
        assert await owner_after_round(db, work, loop) == "silent"
        await asyncio.sleep(0.1)

    async def set_forward(_: Tx) -> float:
        return ahead + 30

    monkeypatch.setattr(reaping, "ahead", set_forward)
    async with db.transaction() as tx:
        await tx.execute("UPDATE workers SET beat_at = beat_at - interval '30 s'")
    assert await owner_after_round(db, work, loop) == "silent"
    await asyncio.sleep(0.4)
    assert await owner_after_round(db, work, loop) is None, "no beat came since"


def worker(db: Database, leader: Leader, loop: str) -> Reaper | Revisions:
    nobody: Any = None  # nothing is published
    return Reaper(db.pool, nobody, leader) if loop == "reaper" else Revisions(db.pool, leader)


async def owner_after_round(db: Database, work: Reaper | Revisions, loop: str) -> str | None:
    """Of what was at Telegram."""
    await work._round()
    async with db.transaction() as tx:
        table = "deliveries" if loop == "reaper" else "revision_items"
        found: str | None = await tx.fetchval(f"SELECT owner FROM {table}")  # noqa: S608 (our own names)
        return found
