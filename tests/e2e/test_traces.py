"""One trace from the webhook to the Bot API, over all processes: what this very test was sent as OTLP."""

from __future__ import annotations

import pytest
from common.testing.otlp import ReceivedSpan
from common.testing.polling import eventually

from . import edges
from .house import House

pytestmark = pytest.mark.timeout(120)


def trace_of(house: House, name: str, update_id: int) -> str:
    """The trace in which that update was handled."""
    job = f"tg:{house.bot['id']}:{update_id}"
    found = [s.trace_id for s in house.collector.spans if s.name == name and s.attributes.get("muster.job_id") == job]
    return found[0] if found else ""


async def handled(house: House, queue: str, update_id: int, *services: str) -> list[ReceivedSpan]:
    trace_id = await eventually(lambda: trace_of(house, f"process {queue}", update_id), what="a span of the update")
    return await house.trace(trace_id, *services)


async def test_a_reply_is_in_the_webhooks_trace(house: House, ada: int) -> None:
    update_id = house.writes(ada, "/start")
    await house.said(ada, 1)
    spans = await handled(house, "dm_queue", update_id, "ingress", "dm")
    assert edges.missing(spans, edges.ANSWERED) == []
    (root,) = [span for span in spans if not span.parent_id]
    assert (root.service, root.name, root.kind) == ("ingress", edges.WEBHOOK, "server")
    assert root.attributes["http.response.status_code"] == 200


async def test_a_pressed_button_is_in_one_trace(house: House, ada: int) -> None:
    house.writes(ada, "/language")
    await house.said(ada, 1)
    message = house.admin("GET", f"chat?bot_id={house.bot['id']}&user_id={ada}")["messages"][-1]["message_id"]
    press = {"bot_id": house.bot["id"], "user_id": ada, "message_id": message, "data": "language:de"}
    update_id = house.admin("POST", "callbacks", **press)["update_id"]
    assert edges.missing(await handled(house, "dm_queue", update_id, "ingress", "dm"), edges.PRESSED) == []


async def test_each_update_has_a_trace_of_its_own(house: House, ada: int) -> None:
    ids = [house.writes(ada, "/help") for _ in range(3)]
    await house.said(ada, 3)
    traces = {(await handled(house, "dm_queue", update_id, "ingress", "dm"))[0].trace_id for update_id in ids}
    assert len(traces) == 3


async def test_an_answer_names_its_trace(house: House) -> None:
    answer = house.post(b'{"update_id":1,"poll":{}}')
    (span,) = await house.trace(answer.headers["x-trace-id"], "ingress")
    assert span.name == edges.WEBHOOK


async def test_the_outbox_keeps_the_trace(house: House, ada: int) -> None:
    house.servers.rabbitmq.kill()
    update_id = house.writes(ada, "/start")
    house.servers.rabbitmq.start()
    await house.said(ada, 1, within=40)
    spans = await handled(house, "dm_queue", update_id, "ingress", "tgms", "dm")
    assert edges.missing(spans, edges.BY_THE_OUTBOX) == []
