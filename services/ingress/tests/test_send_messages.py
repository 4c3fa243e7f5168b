"""POST /api/send_messages: what is accepted, what is counted, and what is written."""

from __future__ import annotations

import json

from common.jobs import PlanBroadcast

from .api import FIRST, Api


async def test_a_message_for_all_becomes_a_broadcast_and_its_plan_job(api: Api) -> None:
    await api.grow(FIRST, 3)
    answer = await api.send()
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert body == {
        "broadcast_id": 1, "accepted": 3, "skipped": 0, "skipped_by_reason": {}, "eta_seconds": 1,
    }  # fmt: skip
    [row] = await api.rows("broadcasts")
    assert (row["state"], row["content"]) == ("planning", {"method": "sendMessage", "params": {"text": "hello"}})
    [job] = await api.rows("outbox")
    assert PlanBroadcast.model_validate(json.loads(job["body"])) == PlanBroadcast(broadcast_id=1)
    assert len(answer.headers["x-trace-id"]) == 32
