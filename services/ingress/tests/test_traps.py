"""reliability.md §3, D1-D5, over real sockets: what uvicorn, FastAPI and JSON let through unless told otherwise."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from common.testing.polling import eventually
from common.testing.tcp_proxy import TcpProxy
from ingress import body
from ingress.webhook import PATH

from .conftest import NEW_KEY, SECRET_HEADER, Door, secret
from .updates import message, private_text, update

MIB = 1024 * 1024


@asynccontextmanager
async def serving(door: Door) -> AsyncIterator[int]:
    """The webhook behind uvicorn, as `python -m ingress` serves it; the port."""
    server = uvicorn.Server(uvicorn.Config(door.webhook, port=0, lifespan="off", log_config=None, http="httptools"))
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = server.force_exit = True
    await running


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


def head(*headers: str, token: bytes | None = None) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: muster.example", *headers]
    name = f"{SECRET_HEADER}: ".encode()
    return "\r\n".join(lines).encode() + b"\r\n" + name + (token or secret().encode()) + b"\r\n\r\n"


async def status(reader: asyncio.StreamReader) -> int:
    line = await asyncio.wait_for(reader.readline(), 10)
    return int(line.split()[1])


async def post(port: int, content: bytes, token: bytes | None = None) -> int:
    async with connected(port) as (reader, writer):
        writer.write(head(f"Content-Length: {len(content)}", token=token) + content)
        return await status(reader)


async def test_d1_a_body_without_an_end_is_cut_off_at_the_limit(door: Door) -> None:
    """D1: 30 MB of brackets cost 791 MB and 9 s, for neither FastAPI nor uvicorn has a limit."""
    async with serving(door) as port, connected(port) as (reader, writer):
        writer.write(head("Transfer-Encoding: chunked"))
        pieces = 0
        answered = asyncio.create_task(status(reader))
        while not answered.done() and pieces < 480:
            writer.write(b"10000\r\n" + b"[" * 65_536 + b"\r\n")
            await asyncio.sleep(0)
            pieces += 1
            try:
                await writer.drain()
            except ConnectionError:
                break
        assert await answered == 413
    assert pieces < 480  # it was answered long before 30 MB were there
    assert await door.waiting() == 0


async def test_d1_a_deep_body_is_no_work(door: Door) -> None:
    """D1: brackets within the limit are read, kept, and answered at once."""
    async with serving(door) as port:
        started = time.monotonic()
        assert await post(port, b"[" * (MIB - 1)) == 200
        assert time.monotonic() - started < 1
    assert [row["reason"] for row in await door.rows("quarantine")] == ["not JSON"]


@pytest.mark.parametrize("begun", [b"", b'{"update_id":'])
async def test_d2_a_body_that_stops_is_given_up(door: Door, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    """D2: uvicorn waits for ever; and those who wait do not keep others out."""
    monkeypatch.setattr(body, "DEADLINE", 0.3)
    async with serving(door) as port:
        waiting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        for _, writer in waiting:
            writer.write(head("Content-Length: 1000") + begun)
        assert await post(port, json.dumps(private_text()).encode()) == 200
        assert {await status(reader) for reader, _ in waiting} == {408}
        for _, writer in waiting:
            writer.close()
    assert await door.waiting() == 1


async def test_d3_sigterm_lets_a_request_finish_and_takes_no_new_one(door: Door) -> None:
    """D3: the update whose commit is on its way gets its 200, and is in the outbox."""
    async with TcpProxy.before(door.db.url) as to_database:
        environment = {
            "DATABASE_URL": to_database.through(door.db.url),
            "AMQP_URL": "amqp://127.0.0.1:1",
            "MUSTER_WEBHOOK_KEYS": NEW_KEY,
            "MUSTER_HOST": "127.0.0.1",
            "MUSTER_PORT": str(await free_port()),
            "MUSTER_DATABASE_TIMEOUT": "5",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ingress", env=os.environ | environment, stderr=asyncio.subprocess.DEVNULL
        )
        port = int(environment["MUSTER_PORT"])
        await eventually(lambda: listens(port), within=15)
        to_database.freeze()
        request = asyncio.create_task(post(port, json.dumps(private_text()).encode()))
        await eventually(lambda: to_database.connections == 1)
        process.send_signal(signal.SIGTERM)
        await eventually(lambda: is_closed(port))
        await asyncio.sleep(0.4)  # a server that does not wait for it would be gone
        assert process.returncode is None
        assert not request.done()
        to_database.heal()
        assert await request == 200
        assert await asyncio.wait_for(process.wait(), 10) in {0, -signal.SIGTERM}
    assert len(await door.rows("outbox")) == 1


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (rb"\u0000", "queue"),
        (rb"\ud83d\ude00", "queue"),
        (rb"\ud800", "quarantine"),
        (b"\xed\xa0\x80", "quarantine"),
        (rb"\u0000\ud800", "quarantine"),
    ],
    ids=["nul", "pair", "lone-surrogate", "raw-surrogate", "both"],
)
async def test_d4_text_that_postgresql_refuses_is_never_a_5xx(door: Door, text: bytes, kept: str) -> None:
    """D4: a 500 comes again for a day, and blocks its chat as long."""
    content = json.dumps(private_text("PLACE")).encode().replace(b"PLACE", text)
    async with serving(door) as port:
        assert await post(port, content) == 200
    assert (await door.waiting(), len(await door.rows("quarantine"))) == ((1, 0) if kept == "queue" else (0, 1))


@pytest.mark.parametrize("text", [rb"\u0000", rb"\ud83d\ude00"])
async def test_d4_the_outbox_takes_it_too(door: Door, text: bytes) -> None:
    """D4: jsonb would refuse the NUL; the job's own bytes are kept instead."""
    door.to_broker.refuse = True
    content = json.dumps(private_text("PLACE")).encode().replace(b"PLACE", text)
    async with serving(door) as port:
        assert await post(port, content) == 200
    [row] = await door.rows("outbox")
    assert text in row["body"]


@pytest.mark.parametrize("place", ["update_id", "weight"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_d4_numbers_that_are_none_are_no_job(door: Door, number: str, place: str) -> None:
    """D4: JSON's grammar has no NaN, but its readers have; a job with one would be read by some workers only."""
    content = json.dumps(update("message", message(text="x", weight=12345), 54321)).encode()
    spoilt = content.replace({"update_id": b"54321", "weight": b"12345"}[place], number.encode())
    async with serving(door) as port:
        assert await post(port, spoilt) == 200
    assert (await door.waiting(), len(await door.rows("quarantine"))) == (0, 1)


@pytest.mark.parametrize("number", ["1e999", "9" * 40])
async def test_d4_numbers_of_any_size_are_never_a_5xx(door: Door, number: str) -> None:
    """D4: valid JSON that no column can hold."""
    async with serving(door) as port:
        for spoilt in (b'{"update_id":%s,"message":{}}', b'{"update_id":7,"message":{"chat":{"id":%s}}}'):
            assert await post(port, spoilt % number.encode()) == 200
    assert await door.waiting() == 0


@pytest.mark.parametrize("token", [b"\xff\xfe", "пароль".encode(), b"7_2_\x80", "\uff17_2_x".encode()])
async def test_d5_a_secret_with_other_bytes_than_ascii_is_401(door: Door, token: bytes) -> None:
    """D5: compare_digest of str raises TypeError, and a stranger makes 500s."""
    async with serving(door) as port:
        assert await post(port, b"{}", token=token) == 401


async def listens(port: int) -> bool:
    return not await is_closed(port)


async def is_closed(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


async def free_port() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    return port
