"""When a broadcast's time is over, nothing of it begins; a message that has begun is said to its end."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from common.ids import BotId
from common.store import deliveries
from common.store.pool import Tx
from common.testing.postgres import Database

BOT, AHEAD = BotId(1), timedelta(milliseconds=150)
ROWS = """
INSERT INTO bots (bot_id, username, token, token_key) VALUES (1, 'b1', 'x', 'k1');
INSERT INTO groups (bot_id, chat_id) VALUES (1, -1);
INSERT INTO group_turns (group_id) SELECT group_id FROM groups;
INSERT INTO broadcasts (state, content, planned) VALUES ('running', '{}', true);
INSERT INTO deliveries (broadcast_id, group_id, bot_id) SELECT broadcast_id, group_id, 1 FROM broadcasts, groups;
"""


async def slotted(tx: Tx) -> list[tuple[int, datetime, int]]:
    """The one delivery, with a slot that is due."""
    row = await tx.fetchrow("UPDATE deliveries SET state = 'slotted', slot_at = now() RETURNING delivery_id, slot_at")
    assert row is not None
    return [(row["delivery_id"], row["slot_at"], BOT)]


@pytest.mark.parametrize(("left", "parts_done", "goes_on"), [(60, 0, True), (-1, 0, False), (-1, 1, True)])
async def test_what_is_too_late_is_neither_handed_out_nor_begun(
    db: Database, left: int, parts_done: int, *, goes_on: bool
) -> None:
    async with db.transaction() as tx:
        await tx.execute(ROWS)
        await tx.execute("UPDATE broadcasts SET expires_at = now() + $1::interval", timedelta(seconds=left))
        await tx.execute("UPDATE deliveries SET parts_done = $1", parts_done)
        assert len(await deliveries.candidates(tx, {BOT: 9}, AHEAD, turn=0)) == goes_on
        assert len(await deliveries.begin(tx, await slotted(tx), "me")) == goes_on
