"""The door to the Bot API before a server that does anything; the token is looked for in all that is said of it."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest
from common import clock
from common.telegram.client import BotAccess, BotApi, Upload, upload_time
from common.telegram.errors import Flood, Late, NotSent, TelegramError, Unknown
from common.telegram.floods import FloodMemory
from common.testing.builders import BOT_ID, FAKE_TOKEN
from common.testing.http_peer import (
    Act,
    HttpPeer,
    answering,
    hanging_up,
    resetting,
    saying,
    saying_nothing,
    succeeding,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_core import to_json

ME = BotAccess(BOT_ID, FAKE_TOKEN)
SECRET = FAKE_TOKEN.partition(":")[2]


@pytest.fixture
async def peer() -> AsyncIterator[HttpPeer]:
    async with HttpPeer() as server:
        yield server


@pytest.fixture
async def api(peer: HttpPeer) -> AsyncIterator[BotApi]:
    client = BotApi(peer.url, timeout=0.5, pacer=FloodMemory())
    yield client
    await client.close()


async def test_a_call_is_one_json_post(api: BotApi, peer: HttpPeer) -> None:
    peer.acts = [succeeding({"message_id": 7})]
    assert await api.call(ME, "sendMessage", {"chat_id": 42, "text": "grüße 👋"}) == {"message_id": 7}
    assert peer.requests == [(f"/bot{FAKE_TOKEN}/sendMessage", {"chat_id": 42, "text": "grüße 👋"})]


async def test_what_comes_too_late_is_not_begun(api: BotApi, peer: HttpPeer) -> None:
    """Also when the time passed while it waited for a flood to end."""
    error = await failure(api.call(ME, "sendMessage", {"chat_id": 42}, before=clock.uptime() - 1))
    assert isinstance(error, Late)
    assert isinstance(await failure(api.upload(ME, "sendPhoto", {}, {}, before=clock.uptime() - 1)), Late)
    peer.acts = [answering(429, to_json({"ok": False, "error_code": 429, "parameters": {"retry_after": 1}}))]
    assert isinstance(await failure(api.call(ME, "sendMessage", {"chat_id": 42})), Flood)
    error = await failure(api.call(ME, "sendMessage", {"chat_id": 42}, before=clock.uptime() + 0.5))
    assert isinstance(error, Late)
    assert len(peer.requests) == 1


async def test_an_upload_is_one_form(api: BotApi, peer: HttpPeer) -> None:
    files = {"f": Upload('grüße "x".jpg', "image/jpeg", b"\xff\xd8 content")}
    peer.acts = [succeeding({"message_id": 7})]
    params = {"chat_id": 42, "photo": "attach://f", "reply_markup": {"inline_keyboard": []}}
    assert await api.upload(ME, "sendPhoto", params, files) == {"message_id": 7}
    [(path, body)] = peer.requests
    assert path == f"/bot{FAKE_TOKEN}/sendPhoto"
    for piece in ("grüße", "image/jpeg", 'name="photo"', "attach://f", '{"inline_keyboard":[]}', 'name="chat_id"'):
        assert piece.encode() in body
    assert b"\xff\xd8 content" in body


async def test_an_upload_that_ends_oddly_is_unknown_and_sent_once(
    api: BotApi, peer: HttpPeer, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    files = {"f": Upload("canary.jpg", "image/jpeg", b"canary")}
    for act in (hanging_up, resetting, saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", then_cut=True)):
        peer.requests.clear()
        peer.acts = [act]
        error = await failure(api.upload(ME, "sendPhoto", {"chat_id": 42, "photo": "attach://f"}, files))
        assert isinstance(error, Unknown)
        assert len(peer.requests) == 1
        said = "".join(traceback.format_exception(error)) + repr(error) + caplog.text + dumped(spans) + repr(files)
        assert SECRET not in said
        assert "canary" not in said.replace("'canary.jpg'", "")


def test_larger_files_may_take_longer() -> None:
    assert upload_time(0, 20) == 20
    assert 60 < upload_time(50 << 20, 20) < 180


async def test_calls_share_a_connection(api: BotApi, peer: HttpPeer) -> None:
    for _ in range(5):
        await api.call(ME, "getMe")
    assert peer.connections == 1


AMBIGUOUS: dict[str, Act] = {
    "closed": hanging_up,
    "reset": resetting,
    "timeout": saying_nothing,
    "garbage": saying(b"\x00\x01garbage\r\n\r\n"),
    "half-a-header": saying(b"HTTP/1.1 200 OK\r\nContent-Le", then_cut=True),
    "cut-body": saying(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"ok":true,"result":', then_cut=True),
    "endless-body": saying(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"ok":true,"result":'),
    "bad-chunks": saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"),
    "bad-gzip": answering(200, b"not gzip at all", Content_Encoding="gzip"),
    "html-502": answering(502, b"<html>Bad Gateway</html>", Content_Type="text/html"),
    "html-200": answering(200, b"<html>Welcome to the hotel's network</html>"),
    "redirect": answering(302, b"", Location="https://elsewhere.example/"),
    "restart": answering(500, to_json({"ok": False, "error_code": 500, "description": "restart"})),
}


@pytest.mark.parametrize("act", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
async def test_after_the_request_was_written_anything_odd_is_unknown_and_asked_once(
    api: BotApi, peer: HttpPeer, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture, act: Act
) -> None:
    """C1, C2: and the token is in no text of the error, of its chain, of the log or of the span."""
    caplog.set_level(logging.DEBUG)
    peer.acts = [act]
    error = await failure(api.call(ME, "sendMessage", {"chat_id": 42, "text": "canary"}))
    assert isinstance(error, Unknown)
    assert len(peer.requests) == 1
    said = "".join(traceback.format_exception(error)) + repr(error) + caplog.text + dumped(spans)
    assert SECRET not in said
    assert "canary" not in said
    assert error.__cause__ is None


async def test_a_redirect_is_not_followed(api: BotApi, peer: HttpPeer) -> None:
    peer.acts = [answering(307, b"", Location=f"{peer.url}/elsewhere"), succeeding(True)]
    await failure(api.call(ME, "sendMessage", {"chat_id": 1}))
    assert len(peer.requests) == 1


async def test_nobody_there_means_not_sent(spans: InMemorySpanExporter) -> None:
    api = BotApi("http://127.0.0.1:1", timeout=2, pacer=FloodMemory())
    error = await failure(api.call(ME, "sendMessage", {"chat_id": 1}))
    assert type(error) is NotSent
    assert SECRET not in "".join(traceback.format_exception(error)) + dumped(spans)
    await api.close()


async def test_a_name_that_does_not_resolve_means_not_sent() -> None:
    api = BotApi("http://no-such-host.invalid", timeout=2, pacer=FloodMemory())
    assert type(await failure(api.call(ME, "getMe"))) is NotSent
    await api.close()


async def test_a_429_is_obeyed_by_the_next_call(api: BotApi, peer: HttpPeer) -> None:
    body = to_json({"ok": False, "error_code": 429, "description": "Too Many", "parameters": {"retry_after": 30}})
    peer.acts = [answering(429, body), succeeding(True)]
    assert isinstance(await failure(api.call(ME, "sendMessage", {"chat_id": 42})), Flood)
    assert isinstance(await failure(api.call(ME, "sendMessage", {"chat_id": 42})), Flood)
    assert len(peer.requests) == 1
    assert await api.call(ME, "sendMessage", {"chat_id": 43}) is True


async def test_a_429_of_a_proxy_counts_as_well(api: BotApi, peer: HttpPeer) -> None:
    peer.acts = [answering(429, b"<html>slow down</html>", Retry_After="7")]
    error = await failure(api.call(ME, "sendMessage", {"chat_id": 42}))
    assert isinstance(error, Flood)
    assert error.retry_after == 7


async def test_a_call_has_an_end(api: BotApi, peer: HttpPeer) -> None:
    peer.acts = [saying_nothing]
    started = time.monotonic()
    await failure(api.call(ME, "sendMessage", {"chat_id": 1}))
    assert time.monotonic() - started < 1.5


async def test_a_caller_that_is_cancelled_is_told_so(api: BotApi, peer: HttpPeer) -> None:
    peer.acts = [saying_nothing]
    call = asyncio.create_task(api.call(ME, "sendMessage", {"chat_id": 1}))
    await asyncio.sleep(0.1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_span_tells_method_bot_and_outcome(api: BotApi, peer: HttpPeer, spans: InMemorySpanExporter) -> None:
    peer.acts = [succeeding(True), hanging_up]
    await api.call(ME, "getMe")
    await failure(api.call(ME, "sendMessage", {"chat_id": 42, "text": "canary"}))
    good, bad = spans.get_finished_spans()
    assert good.name == "telegram getMe"
    assert dict(good.attributes or {})["muster.bot_id"] == BOT_ID
    assert dict(bad.attributes or {})["error.type"] == "unknown"
    assert SECRET not in dumped(spans)
    assert "canary" not in dumped(spans)


def test_no_token_in_a_repr() -> None:
    assert SECRET not in repr(ME)


async def failure(call: Any) -> TelegramError:
    with pytest.raises(TelegramError) as raised:
        await call
    return raised.value


def dumped(spans: InMemorySpanExporter) -> str:
    return "".join(span.to_json() for span in spans.get_finished_spans())
