"""A sender that is told to go has time for one call: it makes none behind another."""

from __future__ import annotations

from typing import Any

import pytest
from common.errors import HandBack
from common.telegram import errors
from common.telegram.client import BotApi

from .conftest import Fleet
from .test_in_doubt import one_sending, slotted_again

pytestmark = pytest.mark.timeout(60)


async def test_it_begins_nothing_and_hands_the_job_to_another(fleet: Fleet) -> None:
    broadcast_id, job = await one_sending(fleet)
    await slotted_again(fleet)
    fleet.handle._ledger.life._stop.set()
    with pytest.raises(HandBack):
        await fleet.handle(job)
    assert await fleet.sent() == []
    await fleet.another()(job)
    assert len(await fleet.sent()) == 1
    assert set((await fleet.ledger(broadcast_id)).values()) == {"sent"}


async def test_it_asks_no_question_behind_a_refusal(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may take MUSTER_TELEGRAM_TIMEOUT, of which the grace needs to have only one."""
    broadcast_id, job = await one_sending(fleet)
    await slotted_again(fleet)
    calls = []

    async def call(_self: Any, _access: Any, method: str, *_: Any, **__: Any) -> Any:
        calls.append(method)
        fleet.handle._ledger.life._stop.set()
        raise errors.ChatNotFound("400 chat not found")

    monkeypatch.setattr(BotApi, "call", call)
    await fleet.handle(job)
    assert calls == ["sendMessage"]
    [row] = await fleet.rows(broadcast_id)
    assert (row["state"], row["unsent"]) == ("pending", 1)
    async with fleet.db.transaction() as tx:
        assert await tx.fetchval("SELECT phase FROM groups") == "discovered"
