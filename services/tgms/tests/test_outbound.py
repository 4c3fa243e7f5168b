"""Requests to addresses that clients chose: where they lead is checked when they are made, and nothing is followed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from common import addresses
from common.clock import utc_now
from common.testing.http_peer import HttpPeer, answering
from tgms.outbound import Outbound
from tgms.rules.telling import Answer, headers

from .receiver import HANGS, Receiver, certify, door, listening

A, WRONG = "a.shop.com", "wrong.shop.com"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certify(tmp_path_factory.mktemp("tls"), A)


@asynccontextmanager
async def outbound(
    monkeypatch: pytest.MonkeyPatch, *found: str, error: type[Exception] | None = None
) -> AsyncIterator[Outbound]:
    """As in production, but for the name server."""

    async def resolve(_: str, __: object = None) -> list[str]:
        if error is not None:
            raise error
        return list(found)

    monkeypatch.setattr(addresses, "resolve", resolve)
    out = Outbound(timeout=1.0)
    yield out
    await out.aclose()


@pytest.mark.parametrize(
    "found",
    [["127.0.0.1"], ["10.0.0.8"], ["169.254.169.254"], ["::1"], ["::ffff:10.0.0.8"], ["fd00::1"], ["fe80::1"],
     ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["0.0.0.8"], ["224.0.0.1"], ["100.64.0.1"], ["93.184.216.34", "127.0.0.1"],
     []],
)  # fmt: skip
async def test_a_name_that_leads_inside_by_now_is_not_called(monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
    """It was public when it was registered: DNS rebinding."""
    async with HttpPeer() as peer, outbound(monkeypatch, *found) as out:
        assert await out.post(f"https://{A}/in", b"{}", {}) == Answer(None, "its host is not public")
        assert peer.connections == 0


@pytest.mark.parametrize(
    "url",
    ["http://a.shop.com/", "https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://a.shop.com:1/", "x"],
)
async def test_an_address_that_was_never_let_in_is_not_called(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    async with outbound(monkeypatch, "127.0.0.1") as out:
        assert await out.post(url, b"{}", {}) == Answer(None, "its url can't be used")


async def test_a_name_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async with outbound(monkeypatch, error=OSError) as out:
        assert await out.post(f"https://{A}/in", b"{}", {}) == Answer(None, "its host is not known")


async def test_what_is_checked_is_what_is_called(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is looked up once a request: a second answer, of another address, is never asked for."""
    receiver, asked = Receiver(A, SECRET), []
    async with listening([receiver], certificate):
        out = door({A: receiver.port}, certificate, monkeypatch)

        async def once(host: str) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"]

        out._resolver._resolve = once
        for _ in range(2):
            answer = await post(out, A)
            assert answer.status == 204
        assert asked == [A, A]  # each request looks anew: no connection is kept
        await out.aclose()


async def post(out: Outbound, host: str) -> Answer:
    return await out.post(f"https://{host}/in", b"{}", headers("evt_1", utc_now(), b"{}", [SECRET]))


async def test_a_redirect_is_not_followed(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver(A, SECRET, answers=[(307, {"Location": f"https://{A}/in"})])
    async with listening([receiver], certificate):
        out = door({A: receiver.port}, certificate, monkeypatch)
        assert (await post(out, A)).status == 307
        assert len(receiver.got) == 1
        await out.aclose()


async def test_retry_after_is_read_in_seconds_alone(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver(
        A, SECRET, answers=[(429, {"Retry-After": v}) for v in ("17", "Wed, 21 Oct 2026 07:28:00 GMT", "-1")]
    )
    async with listening([receiver], certificate):
        out = door({A: receiver.port}, certificate, monkeypatch)
        assert [(await post(out, A)).retry_after for _ in range(3)] == [17, 0, 0]
        await out.aclose()


async def test_a_certificate_of_another_name_is_refused(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver(WRONG, SECRET)
    async with listening([receiver], certificate):
        out = door({WRONG: receiver.port}, certificate, monkeypatch)
        assert await post(out, WRONG) == Answer(None, "TLS failed")
        await out.aclose()
    assert receiver.got == []


async def test_nobody_there_slow_or_talking_nonsense(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver(A, SECRET, answers=[HANGS])
    async with listening([receiver], certificate):
        out = door({A: receiver.port}, certificate, monkeypatch, timeout=0.5)
        assert await post(out, A) == Answer(None, "no answer in time")
        await out.aclose()
    out = door({A: 1}, certificate, monkeypatch)
    assert (await post(out, A)).problem == "no connection (ClientConnectorError)"
    await out.aclose()
    async with HttpPeer(acts=[answering(200, b"plain")]) as peer:
        port = int(peer.url.rpartition(":")[2])
        out = door({A: port}, certificate, monkeypatch, timeout=1.0)
        assert (await post(out, A)).status is None  # TLS with somebody who speaks none
        await out.aclose()


async def test_an_endless_answer_costs_nothing(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the status is read: a body of any length is left where it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    over = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + bytes(65536))
        with contextlib.suppress(OSError):
            await reader.read()
            writer.close()
            await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(pour, "127.0.0.1", 0, ssl=context)
    async with server:
        out = door({A: server.sockets[0].getsockname()[1]}, certificate, monkeypatch)
        assert (await asyncio.wait_for(post(out, A), 2)).status == 200
        await out.aclose()
        await asyncio.wait_for(over.wait(), 5)


async def test_a_name_server_that_hangs_is_asked_once_and_holds_up_no_other_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look-up is a thread that can't be stopped: forty requests to one such name must not take forty."""
    asked, hanging = [], threading.Event()

    def look_up(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        if host == f"{A}.":
            hanging.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.8", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    out = Outbound(timeout=1.0)
    waiting = [asyncio.create_task(out.post(f"https://{A}/in", b"{}", {})) for _ in range(40)]
    await asyncio.sleep(0.1)
    started = time.monotonic()
    assert (await out.post(f"https://{WRONG}/in", b"{}", {})).problem == "its host is not public"
    assert time.monotonic() - started < 0.5
    assert {answer.problem for answer in await asyncio.gather(*waiting)} == {"no answer in time"}
    assert asked == [f"{A}.", f"{WRONG}."]  # with the last dot: no search domain of the cluster's is tried
    hanging.set()
    await out.aclose()


HANGING = """
import asyncio, socket, time
socket.getaddrinfo = lambda *_, **__: time.sleep(60)
from tgms.outbound import Outbound

async def main():
    out = Outbound(timeout=0.2)
    print((await out.post("https://a.shop.com/in", b"{}", {})).problem)
    await out.aclose()

asyncio.run(main())
"""


def test_a_name_server_that_hangs_does_not_hold_up_the_end_of_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=30, check=True)
    assert (ended.stdout, ended.stderr) == ("no answer in time\n", "")
