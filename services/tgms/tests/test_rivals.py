"""What a broadcast gets of its bot's rate beside others that have nothing to hand out, or more than it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from common.testing.postgres import Database
from tgms.leader import Leader
from tgms.pacer import TICK, Pacer

from .test_pacer import Published

pytestmark = pytest.mark.timeout(60)
FLEET = """
INSERT INTO bots (bot_id, username, token, token_key, per_second) VALUES (1, 'b1', 'x', 'k1', 30);
INSERT INTO groups (bot_id, chat_id) SELECT 1, -n FROM generate_series(1, 3001) n;
INSERT INTO group_turns (group_id) SELECT group_id FROM groups;
INSERT INTO bot_slots (bot_id, slot, free_at) SELECT 1, n, now() + n * interval '33 ms' FROM generate_series(1, 30) n;
"""
# One broadcast to 3,000 groups, and 200 messages for one more, each a broadcast of its own: its next turn is later.
BUSY = """
INSERT INTO broadcasts (state, content, planned) SELECT 'running', '{}', true FROM generate_series(0, 200) n;
INSERT INTO deliveries (broadcast_id, group_id, bot_id) SELECT 1, n, 1 FROM generate_series(1, 3000) n;
INSERT INTO deliveries (broadcast_id, group_id, bot_id) SELECT n + 1, 3001, 1 FROM generate_series(1, 200) n;
UPDATE group_turns SET next_at = now() + interval '10 min' WHERE group_id = 3001;
"""
# An album of ten to one group, beside three broadcasts of single messages.
ALBUM = """
INSERT INTO broadcasts (state, content, planned)
    VALUES ('running', '{"method": "sendMediaGroup", "params": {"media": [1,2,3,4,5,6,7,8,9,10]}}', true);
INSERT INTO broadcasts (state, content, planned) SELECT 'running', '{}', true FROM generate_series(1, 3) n;
INSERT INTO deliveries (broadcast_id, group_id, bot_id) VALUES (1, 3001, 1);
INSERT INTO deliveries (broadcast_id, group_id, bot_id)
    SELECT b + 1, (b - 1) * 900 + n, 1 FROM generate_series(1, 3) b, generate_series(1, 900) n;
"""
ANSWERED = """
WITH done AS (UPDATE deliveries SET state = 'sent', settled_at = now() WHERE state = 'slotted'
              RETURNING delivery_id, group_id, slot_at),
turns AS (UPDATE group_turns t SET held_by = NULL, next_at = d.slot_at + interval '1 s'
          FROM done d WHERE t.group_id = d.group_id)
UPDATE bot_slots s SET held_by = NULL, free_at = greatest(s.free_at, d.slot_at) + interval '1 s'
FROM done d WHERE s.held_by = d.delivery_id::text
"""


async def sends(db: Database, leader: Leader, seconds: float) -> Counter[int]:
    """By broadcast; each message is answered at once, and its slot is free a second later."""
    published: Any = Published()
    pacer, ends = Pacer(db.pool, published, leader), time.monotonic() + seconds
    while (began := time.monotonic()) < ends:
        await pacer._tick()
        async with db.transaction() as tx:
            await tx.execute(ANSWERED)
        await asyncio.sleep(max(0.001, TICK - (time.monotonic() - began)))
    return Counter(job.broadcast_id for job in published.jobs)


async def test_messages_for_a_busy_group_take_no_rate_from_others(db: Database, leader: Leader) -> None:
    async with db.transaction() as tx:
        await tx.execute(FLEET + BUSY)
        await tx.execute("ANALYZE")
    found = await sends(db, leader, 4)
    assert set(found) == {1}
    assert found[1] > 60, "thirty a second, half of them on a busy machine"


async def test_an_album_has_its_turn_beside_single_messages(db: Database, leader: Leader) -> None:
    async with db.transaction() as tx:
        await tx.execute(FLEET + ALBUM)
        await tx.execute("ANALYZE")
    found = await sends(db, leader, 4)
    assert found[1] == 1
    assert found.total() > 20, "the others go on"
