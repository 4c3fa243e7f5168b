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


async def test_a_long_text_is_accepted_up_to_twenty_messages(api: Api) -> None:
    await api.grow(FIRST, 30)
    answer = await api.send(message={"type": "text", "text": "word " * 8000, "parse_mode": "HTML"})
    assert (answer.status_code, answer.json()["eta_seconds"]) == (202, 10)
    for text in ("word " * 8200, "word " * 7900 + "{{x}}"):
        refused = await api.send(message={"type": "text", "text": text})
        assert refused.status_code == 422
        [error] = refused.json()["errors"]
        assert error["what"].endswith("20 are possible")


async def test_many_short_variables_do_not_make_a_text_long(api: Api) -> None:
    await api.grow(FIRST, 1)
    assert (await api.send(message={"type": "text", "text": "{{a}} " * 19})).status_code == 202


async def test_a_copy_may_lose_its_caption_or_get_another(api: Api) -> None:
    await api.grow(FIRST, 1)
    copy = {"type": "copy", "from_chat_id": -100, "message_id": 5}
    for options in ({}, {"remove_caption": True, "show_caption_above_media": True}, {"caption": "hi"}):
        assert (await api.send(message=copy | options)).status_code == 202
    contents = [row["content"]["params"] for row in await api.rows("broadcasts")]
    source = {"from_chat_id": -100, "message_id": 5}
    assert contents == [
        source, source | {"caption": "", "show_caption_above_media": True}, source | {"caption": "hi"},
    ]  # fmt: skip
    assert (await api.send(message=copy | {"caption": "x", "remove_caption": True})).status_code == 422
