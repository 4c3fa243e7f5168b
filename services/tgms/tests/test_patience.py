"""What looks dead after an outage is left alone until the living have had time to beat; sends and revisions alike."""

from __future__ import annotations

from typing import Any

import pytest
from common.testing.postgres import Database
from tgms.leader import Leader
from tgms.reaper import Reaper
from tgms.revisions import Revisions
from tgms.rules import patience
from tgms.rules.patience import Steadiness

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

    def after_round(begun: float, took: float = 0.0) -> bool:
        steady = steadiness.begins(begun)
        steadiness.ended(begun + took)
        return steady

    assert [after_round(float(second)) for second in range(7)] == [False] * 5 + [True] * 2
    assert not after_round(9.5), "3.5 s without a round: the database was away"
    assert [after_round(9.5 + second) for second in range(1, 6)] == [False] * 4 + [True]
    assert [after_round(15.5 + 5.0 * n, took=4.0) for n in range(5)] == [True] * 5, "slow rounds are no outage"
    assert steadiness.begins(40.0)
    assert not steadiness.begins(43.0), "the round before came to no end"


@pytest.mark.parametrize("loop", ["reaper", "revisions"])
async def test_nothing_is_taken_for_dead_right_after_a_gap(
    db: Database, leader: Leader, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    async with db.transaction() as tx:
        await tx.execute(SENDING)
    nobody: Any = None  # nothing is published
    work = Reaper(db.pool, nobody, leader) if loop == "reaper" else Revisions(db.pool, leader)
    look = f"SELECT owner FROM {'deliveries' if loop == 'reaper' else 'revision_items'}"  # noqa: S608 (our own names)
    await work._round()
    async with db.transaction() as tx:
        assert await tx.fetchval(look) == "silent"
    monkeypatch.setattr(patience, "_STEADY", 0.0)
    await work._round()
    async with db.transaction() as tx:
        assert await tx.fetchval(look) is None
