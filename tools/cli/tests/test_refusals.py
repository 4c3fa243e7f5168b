"""What the API refuses, where it is not, and what is between: one exit code a kind, and the trace's id."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from muster_cli.testing import Operator

from .conftest import World

SENDING = ("send", "--all", "--yes", "hello")


async def test_a_key_that_is_none_is_refused_here_and_not_shown(alone: Operator) -> None:
    done = await alone.muster("bots", "list", MUSTER_API_KEY="hunter2")
    assert done.code == 2
    assert "MUSTER_API_KEY holds no API key" in done.err
    assert "hunter2" not in done.err


@pytest.mark.parametrize(("name", "hint"), [("MUSTER_API_KEY", "python -m common key new"), ("MUSTER_URL", "--url")])
async def test_a_missing_setting_is_named(alone: Operator, name: str, hint: str) -> None:
    done = await alone.muster("bots", "list", **{name: ""})
    assert done.code == 2
    assert name in done.err
    assert hint in done.err


async def test_the_key_from_a_file(world: World, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(world.operator.environment["MUSTER_API_KEY"] + "\n")
    assert (await world.operator.muster("bots", "list", "--key-file", str(file), MUSTER_API_KEY="")).code == 0
    done = await world.operator.muster("--key-file", str(tmp_path / "none"), "bots", "list")
    assert (done.code, "can't be read" in done.err) == (2, True)


async def test_401_with_the_trace(world: World) -> None:
    right = world.operator.environment["MUSTER_API_KEY"]
    wrong = right[:-1] + ("A" if right[-1] != "A" else "B")
    done = await world.operator.muster(*SENDING, MUSTER_API_KEY=wrong)
    assert done.code == 1
    assert "401 Unauthorized" in done.err
    assert re.search(r"trace id [0-9a-f]{32}", done.err)
    assert wrong not in done.err


async def test_403_names_the_scope(world: World) -> None:
    key = await world.make_key("broadcasts:read")
    done = await world.operator.muster(*SENDING, MUSTER_API_KEY=key)
    assert done.code == 1
    assert "403 Forbidden: the key lacks the scope messages:write" in done.err
    assert re.search(r"trace id [0-9a-f]{32}", done.err)


async def test_422_says_where(world: World) -> None:
    await world.grow(1)
    done = await world.operator.muster("send", "--all", "--html", "<b>never closed")
    assert done.code == 1
    assert "422 Unprocessable" in done.err
    assert "message" in done.err
    nobody = await world.operator.muster("send", "--group", "999", "hello")
    assert (nobody.code, "no group can be sent to" in nobody.err) == (1, True)
    assert "skipped: 1 not_found" in nobody.err


async def test_a_refusal_as_json(world: World) -> None:
    done = await world.operator.muster("broadcasts", "show", "7", "--json")
    assert (done.code, done.out) == (1, "")
    problem = json.loads(done.err)
    assert (problem["status"], problem["code"], problem["exit_code"]) == (404, "broadcast_not_found", 1)
    assert re.fullmatch(r"[0-9a-f]{32}", problem["trace_id"])


async def test_429_is_waited_for(world: World) -> None:
    key = await world.make_key("bots:read", burst=1, per_second=0.7)
    assert (await world.operator.muster("bots", "list", MUSTER_API_KEY=key)).code == 0
    done = await world.operator.muster("bots", "list", MUSTER_API_KEY=key)
    assert (done.code, "429 Too Many Requests" in done.err) == (0, True)
    once = await world.operator.muster("bots", "list", "--tries", "1", MUSTER_API_KEY=key)
    assert (once.code, "429 Too Many Requests" in once.err) == (1, True)


async def test_503_is_waited_for_as_long_as_the_api_says(world: World) -> None:
    await world.grow(1)
    world.to_database.refuse = True
    world.to_database.reset()
    process = await world.operator.start(*SENDING)
    assert process.stderr is not None
    said = (await process.stderr.readline()).decode()
    assert said.startswith("503 Service Unavailable: come back in a few seconds; trying again in 5 s")
    world.to_database.heal()
    out, _ = await process.communicate()
    assert (process.returncode, out.decode()[:24]) == (0, "Broadcast 1 is accepted.")


async def test_503_for_good(world: World) -> None:
    world.to_database.refuse = True
    world.to_database.reset()
    done = await world.operator.muster(*SENDING, "--tries", "1")
    assert (done.code, done.out) == (3, "")
    assert "503 Service Unavailable" in done.err
    assert "--idempotency-key cli-" in done.err
    assert re.search(r"trace id [0-9a-f]{32}", done.err)


async def test_nobody_listens(alone: Operator) -> None:
    done = await alone.muster("bots", "list", "--tries", "2")
    assert (done.code, done.out) == (3, "")
    assert done.err.count("http://127.0.0.1:9: can't be reached") == 2
    post = await alone.muster(*SENDING, "--tries", "1")
    assert "--idempotency-key" not in post.err  # nothing was sent that could have had an effect


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", "answers 200 OK with text/html"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n", "answers 404 Not Found with text/html"),
        (b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\n", "redirects to https://elsewhere.example/"),
    ],
)
async def test_something_else_listens(alone: Operator, head: bytes, said: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b"Content-Length: 6\r\nConnection: close\r\n\r\n<html>")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        done = await alone.muster("bots", "list", MUSTER_URL=f"http://127.0.0.1:{port}")
    assert (done.code, done.out) == (3, "")
    assert said in done.err
    assert "is MUSTER_URL the address of Muster's API" in done.err


@pytest.mark.parametrize("path", ["/docs", "/api"])
async def test_an_address_with_too_much_of_a_path(world: World, path: str) -> None:
    done = await world.operator.muster("bots", "list", MUSTER_URL=world.operator.environment["MUSTER_URL"] + path)
    assert (done.code, "MUSTER_URL is what stands before /api, without /docs" in done.err) == (1, True)


@pytest.mark.parametrize("url", ["muster.example.org", "ftp://x", "https://u:p@x", "http://x:port", "https://x?a=b"])
async def test_addresses_that_are_none(alone: Operator, url: str) -> None:
    done = await alone.muster("bots", "list", MUSTER_URL=url)
    assert (done.code, "must look like" in done.err) == (2, True)


async def test_a_reader_that_has_enough(world: World) -> None:
    await world.grow(300)
    process = await world.operator.start("groups", "list", "--json")
    assert process.stdout is not None
    await process.stdout.readline()
    process.stdout._transport.close()  # type: ignore[attr-defined]  # as `| head -1` does
    await process.wait()
    assert process.returncode in {0, 141}
