"""From a DM to its reply, through every process; and a conversation that outlives its worker."""

from __future__ import annotations

import pytest

from .house import House

pytestmark = pytest.mark.timeout(120)


async def test_a_message_is_answered(house: House, ada: int) -> None:
    house.writes(ada, "/start")
    (text,) = await house.said(ada, 1)
    assert text.startswith("Hello Ada!")


async def test_feedback_outlives_a_kill_of_its_worker(house: House, ada: int) -> None:
    house.writes(ada, "/feedback")
    await house.said(ada, 1)
    house.services.kill(house.instances["dm"])
    house.writes(ada, "It works after a crash")
    house.services.restart(house.instances["dm"])
    _, thanks = await house.said(ada, 2, within=60)
    assert thanks.startswith("Thank you")
    kept = await house.rows(f"SELECT topic, text FROM feedback WHERE user_id = {ada}")  # noqa: S608 (an int)
    assert kept == [{"topic": "none", "text": "It works after a crash"}]


async def test_an_update_that_telegram_sends_again_is_answered_once(house: House, ada: int) -> None:
    update_id = house.writes(ada, "/help")
    await house.said(ada, 1)
    answer = house.admin("POST", "redeliver", bot_id=house.bot["id"], update_id=update_id, times=10)
    assert answer["status_codes"] == [200] * 10
    house.writes(ada, "/cancel")  # the same user's next update comes after them in the queue
    first, last = await house.said(ada, 2)
    assert (first.startswith("<b>What I understand"), last) == (True, "There is nothing to cancel.")
    assert len(house.calls(ada)) == 2
