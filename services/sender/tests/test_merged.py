"""What stands in the chat of a group's double can be taken back when the two are one."""

from __future__ import annotations

import pytest
from common.ids import ChatId
from common.store import moving

from .conftest import Direct, Fleet
from .test_broadcast import bot_ids
from .test_revisions import ended, revise, sent, texts

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("chat", "items", "left"), [("new", {"done": 1}, [[]]), ("old", {"failed": 1}, [["kept"]])], ids=["new", "old"]
)
async def test_what_was_sent_to_a_double_is_reached_in_its_chat_after_the_merge(
    fleet: Fleet, brain: Direct, chat: str, items: dict[str, int], left: list[list[str]]
) -> None:
    """Its row points to the group, which is in that chat; of the former chat's numbers it knows nothing."""
    first, double = await fleet.grow(2, (await bot_ids(fleet))[0])
    broadcast_id = await sent(fleet, [double], "kept")
    old, new = ChatId(fleet.groups[first]), ChatId(fleet.groups[double])
    async with fleet.db.transaction() as tx:
        await moving.move(tx, old, new)
        await tx.execute("UPDATE deliveries SET sent_chat_id = $1", new if chat == "new" else old)
    revision = await ended(fleet, broadcast_id, await revise(fleet, broadcast_id, "recall"))
    assert (revision.items, await texts(fleet, [double])) == (items, left)
