"""A join request reaches the brain and, not built yet, the dead letters: with its reason and its trace."""

from __future__ import annotations

from typing import Any

import pytest
from common.testing.polling import eventually

from . import edges
from .house import House

pytestmark = pytest.mark.timeout(120)


async def test_a_join_request_becomes_a_dead_letter_with_its_trace(house: House, ada: int) -> None:
    chat = {"id": -1001, "type": "supergroup", "title": "Engines"}
    person = {"id": ada, "is_bot": False, "first_name": "Ada"}
    asked = {"chat": chat, "from": person, "user_chat_id": ada, "date": 1767225600}
    update_id = house.admin("POST", "updates", bot_id=house.bot["id"], update={"chat_join_request": asked})["update_id"]

    async def letter() -> list[dict[str, Any]]:
        return await house.rows(f"SELECT * FROM dead_letters WHERE job_id = 'tg:{house.bot['id']}:{update_id}'")  # noqa: S608

    (found,) = await eventually(letter)
    assert (found["queue"], found["kind"]) == ("tgms_queue", "process_join_request")
    assert (found["cause"], found["reason"]) == ("rejected", "not built yet: join requests")
    spans = await house.trace(found["traceparent"].split("-")[1], "ingress", "tgms")
    assert edges.missing(spans, edges.JOIN_REQUEST) == []
