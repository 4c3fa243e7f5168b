"""POST /api/webhooks/telegram: who may post, what is taken, and 2xx only for what is durable."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from common.queues import DM_QUEUE, TGMS_QUEUE
from ingress import body
from ingress.webhook import MAX_BODY, PATH
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from . import asgi
from .conftest import BOT_ID, NEW_KEY, OLD_KEY, SECRET_HEADER, Door, secret
from .updates import GROUP, group_command, message, private_text, update

_STRANGER = f"1:{'33' * 32}"
_WRONG = [
    b"", b"wrong", b"_", b"__", b"1_2_3", secret(_STRANGER).encode(), secret()[:-1].encode(),
    secret().encode() + b"A", secret().replace("123456789", "123456788").encode(),
    secret().replace("_2_", "_1_").encode(), secret().replace("_2_", "_9_").encode(),
    "пароль".encode(), b"\xff\xfe\x00", b"1_\xb2_x", "\uff11_2_x".encode(), b"9" * 5000 + b"_2_x",
    secret().encode() + b"\n", b" " + secret().encode(),
]  # fmt: skip
_POISON = [
    b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b'{"update_id":7', b'{"update_id":NaN}', b'{"update_id":-1}',
    b'{"update_id":100000000000000000000}', b'{"update_id":7,"message":{}}', b"[" * 100_000,
    b'{"update_id":7,"message":{"chat":{"id":42,"type":"private"},"text":"\\ud800"}}', b"\xef\xbb\xbf{}", b"\0" * 9,
    b'{"update_id":7}{"update_id":8}', b"'" * 500, b'{"a":' * 300 + b"1" + b"}" * 300,
]  # fmt: skip


async def test_an_update_becomes_a_job_before_it_is_answered(door: Door) -> None:
    answer = await door.post(private_text("hello"))
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
    assert await door.waiting() == 1
    message = await door.job()
    job = DM_QUEUE.adapter.validate_json(message.body)
    assert (job.bot_id, job.update_id, job.user_id, job.update) == (BOT_ID, 7, 42, private_text("hello"))
    assert (message.type, message.headers["job_id"], message.headers["attempt"]) == (
        "process_private_message",
        f"tg:{BOT_ID}:7",
        1,
    )


async def test_a_groups_update_goes_to_the_brain(door: Door) -> None:
    await door.post(group_command())
    job = TGMS_QUEUE.adapter.validate_json((await door.job(TGMS_QUEUE.name)).body)
    assert (job.kind, job.update) == ("process_group_command", group_command())


async def test_an_update_passes_byte_by_byte(door: Door) -> None:
    """No second encoding: big numbers, odd spaces and fields of tomorrow reach the consumer as Telegram wrote them."""
    raw = b' {"update_id" : 7, "message":{"chat":{"id":42,"type":"private"},"x":1.10, "n":123456789012345678901} } '
    await door.post(raw)
    assert raw in (await door.job()).body


async def test_any_text_passes(door: Door) -> None:
    for text in ("\0", "\U0001f600 🎲", "</script>", "'; DROP TABLE bots; --", "x" * 4096):
        assert (await door.post(private_text(text))).status == 200
        job = DM_QUEUE.adapter.validate_json((await door.job()).body)
        assert job.update["message"]["text"] == text


async def test_a_kind_without_a_use_is_taken_and_makes_no_job(door: Door) -> None:
    for ignored in (update("inline_query", {}), update("telepathy", {}), {"update_id": 7}):
        assert (await door.post(ignored)).status == 200
    assert await door.waiting() == 0
    assert await door.rows("quarantine") == []


# who may post


@pytest.mark.parametrize("keys", [NEW_KEY, OLD_KEY])
async def test_both_versions_of_a_key_are_valid_while_it_is_rotated(door: Door, keys: str) -> None:
    assert (await door.post(private_text(), **{SECRET_HEADER: secret(keys)})).status == 200


async def test_the_secret_names_the_bot(door: Door) -> None:
    await door.post(private_text(), **{SECRET_HEADER: secret(bot_id=555)})
    assert DM_QUEUE.adapter.validate_json((await door.job()).body).bot_id == 555


async def test_a_wrong_secret_is_401_and_nothing_is_taken(door: Door) -> None:
    for header in _WRONG:
        answer = await door.post(private_text(), **{SECRET_HEADER: header})
        assert (answer.status, answer.body) == (401, b""), header[:50]
    assert await door.waiting() == 0
    assert door.to_database.accepted == 0


async def test_no_secret_at_all_is_401(door: Door) -> None:
    assert (await asgi.request(door.webhook, PATH, body=b"{}")).status == 401


async def test_only_post(door: Door) -> None:
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = await asgi.request(door.webhook, PATH, method=method, headers={SECRET_HEADER: secret()})
        assert (answer.status, answer.body, answer.headers["allow"]) == (405, b"", "POST"), method


# the body


async def test_the_largest_body_is_taken(door: Door) -> None:
    envelope = json.dumps(private_text("")).encode()
    largest = json.dumps(private_text("x" * (MAX_BODY - len(envelope)))).encode()
    assert len(largest) == MAX_BODY
    assert (await door.post(largest)).status == 200
    assert await door.waiting() == 1


async def test_a_body_that_says_it_is_larger_is_not_read(door: Door) -> None:
    headers = {SECRET_HEADER: secret(), "Content-Length": str(MAX_BODY + 1)}
    answer = await asgi.stream(door.webhook, PATH, [], headers=headers)
    assert (answer.status, answer.body) == (413, b"")


@pytest.mark.parametrize("parts", [[b"x" * (MAX_BODY + 1)], [b"x" * MAX_BODY, b"x"], [b"x" * 65_536] * 17])
async def test_a_body_that_turns_out_larger_is_413(door: Door, parts: list[bytes]) -> None:
    answer = await asgi.stream(door.webhook, PATH, parts, headers={SECRET_HEADER: secret()})
    assert answer.status == 413
    assert await door.rows("quarantine") == []


async def test_a_body_in_parts_is_one_update(door: Door) -> None:
    body = json.dumps(private_text("hello")).encode()
    parts = [body[at : at + 7] for at in range(0, len(body), 7)]
    assert (await asgi.stream(door.webhook, PATH, parts, headers={SECRET_HEADER: secret()})).status == 200
    assert body in (await door.job()).body


async def test_a_body_that_does_not_come_is_408(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "DEADLINE", 0.05)
    answer = await asgi.stream(door.webhook, PATH, [b"{"], headers={SECRET_HEADER: secret()}, ends=False)
    assert (answer.status, answer.body) == (408, b"")


@pytest.mark.parametrize("before", [[], [b'{"update_id":7,'], [b"{", b"}"]])
async def test_a_body_cut_off_is_no_update(door: Door, before: list[bytes]) -> None:
    answer = await asgi.stream(door.webhook, PATH, [*before, asgi.CUT], headers={SECRET_HEADER: secret()})
    assert not answer.started
    assert await door.rows("quarantine") == []


async def test_what_nobody_can_understand_is_kept_and_answered_200(door: Door) -> None:
    for poison in [*_POISON, *_POISON]:  # Telegram may send it again: it is kept once
        answer = await door.post(poison)
        assert (answer.status, answer.body) == (200, b""), poison[:50]
    assert [row["body"] for row in await door.rows("quarantine")] == _POISON
    assert {row["bot_id"] for row in await door.rows("quarantine")} == {BOT_ID}
    assert await door.waiting() == 0


async def test_a_poison_body_is_not_lost_while_the_database_is_away(door: Door) -> None:
    door.to_database.refuse = True
    answer = await door.post(b"{")
    assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "5", b"")
    door.to_database.heal()
    assert (await door.post(b"{")).status == 200


# the broker or the database is away


async def outboxed(door: Door, *updates: int) -> None:
    assert [row["job_id"] for row in await door.rows("outbox")] == [f"tg:{BOT_ID}:{number}" for number in updates]


async def test_without_the_broker_the_outbox_takes_the_job(door: Door) -> None:
    door.to_broker.refuse = True
    assert (await door.post(private_text("kept"))).status == 200
    (row,) = await door.rows("outbox")
    job = DM_QUEUE.adapter.validate_json(row["body"])
    assert (row["queue"], row["kind"], job.update) == (DM_QUEUE.name, job.kind, private_text("kept"))
    assert (row["order_key"], row["order_seq"], row["attempt"]) == (f"{BOT_ID}:42", 7, 1)


async def test_a_groups_job_in_the_outbox_keeps_nobody_waiting(door: Door) -> None:
    door.to_broker.refuse = True
    await door.post(update("message", message(GROUP, text="hi")))
    (row,) = await door.rows("outbox")
    assert (row["queue"], row["order_key"]) == (TGMS_QUEUE.name, None)


async def test_a_broker_that_does_not_answer_costs_the_time_box_and_no_more(door: Door) -> None:
    await door.post(private_text(update_id=1))
    door.to_broker.freeze()
    started = time.monotonic()
    assert (await door.post(private_text(update_id=2))).status == 200
    assert time.monotonic() - started < 1.5
    await outboxed(door, 2)


async def test_after_a_failure_the_broker_is_left_alone_for_a_moment(door: Door) -> None:
    door.to_broker.refuse = True
    await door.post(private_text(update_id=1))
    tried = door.to_broker.accepted
    started = time.monotonic()
    for number in (2, 3, 4):
        assert (await door.post(private_text(update_id=number))).status == 200
    if time.monotonic() - started < 0.9:
        assert door.to_broker.accepted == tried
    await outboxed(door, 1, 2, 3, 4)


async def test_a_broker_that_is_back_is_used_again(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.webhook._BROKER_REST", 0.0)
    door.to_broker.refuse = True
    await door.post(private_text(update_id=1))
    door.to_broker.heal()
    assert (await door.post(private_text(update_id=2))).status == 200
    assert await door.waiting() == 1


async def test_a_cut_connection_is_not_seen_from_outside(door: Door) -> None:
    for number in range(1, 6):
        assert (await door.post(private_text(update_id=number))).status == 200
        door.to_broker.reset()
    jobs = {str((await door.job()).headers["job_id"]) for _ in range(await door.waiting())}
    rows = {row["job_id"] for row in await door.rows("outbox")}
    assert jobs | rows == {f"tg:{BOT_ID}:{number}" for number in range(1, 6)}


async def test_a_queue_that_is_not_there_is_as_a_broker_that_is_away(door: Door) -> None:
    door.publisher.names = {DM_QUEUE.name: "no such queue"}
    assert (await door.post(private_text())).status == 200
    await outboxed(door, 7)


async def test_with_both_away_telegram_is_told_to_come_back(door: Door) -> None:
    door.to_broker.refuse = door.to_database.refuse = True
    answer = await door.post(private_text())
    assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "5", b"")
    door.to_broker.heal()
    door.to_database.heal()
    assert (await door.post(private_text())).status == 200


async def test_with_both_frozen_telegram_is_told_in_bounded_time(door: Door) -> None:
    door.to_broker.freeze()
    door.to_database.freeze()
    started = time.monotonic()
    assert (await door.post(private_text())).status == 503
    assert time.monotonic() - started < 3


# many at once, and what is seen of it


async def test_more_than_the_door_can_take_at_once_are_told_to_come_back(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_MAX_CONCURRENT", "2")
    door.to_broker.freeze()
    answers = await asyncio.gather(*(door.post(private_text(update_id=n)) for n in range(1, 6)))
    assert sorted(answer.status for answer in answers) == [200, 200, 503, 503, 503]
    assert {answer.headers["retry-after"] for answer in answers if answer.status == 503} == {"5"}
    assert len(await door.rows("outbox")) == 2


async def test_a_hundred_at_once_are_all_taken(door: Door) -> None:
    answers = await asyncio.gather(*(door.post(private_text(update_id=n)) for n in range(1, 101)))
    assert {answer.status for answer in answers} == {200}
    assert await door.waiting() == 100


async def test_each_answer_names_its_trace_and_the_job_continues_it(door: Door, spans: InMemorySpanExporter) -> None:
    stranger = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await door.post(private_text(), traceparent=stranger)
    trace_id = answer.headers["x-trace-id"]
    assert trace_id not in stranger
    assert str((await door.job()).headers["traceparent"]).split("-")[1] == trace_id
    names = {span.name for span in spans.get_finished_spans() if f"{span.context.trace_id:032x}" == trace_id}
    assert f"POST {PATH}" in names


async def test_a_job_in_the_outbox_continues_its_trace(door: Door, spans: InMemorySpanExporter) -> None:
    door.to_broker.refuse = True
    answer = await door.post(private_text())
    (row,) = await door.rows("outbox")
    assert row["traceparent"].split("-")[1] == answer.headers["x-trace-id"]


async def test_a_refusal_names_its_trace_too(door: Door, spans: InMemorySpanExporter) -> None:
    answer = await door.post(private_text(), **{SECRET_HEADER: "wrong"})
    assert len(answer.headers["x-trace-id"]) == 32


async def test_settings_that_can_not_be_used_are_503(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_WEBHOOK_KEYS", "nonsense")
    answer = await door.post(private_text())
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
