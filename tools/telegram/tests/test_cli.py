"""The command line: the server as a process of its own, and the shell's way to drive it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from telegram_sim.__main__ import main
from telegram_sim.testing import Simulation, until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """python -m telegram_sim serve on a free port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "telegram_sim", "serve", "--port", "0", "--log", str(tmp_path / "log"), "--seed", "1",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("listening on http://127.0.0.1:")
    yield process, line.split()[-1]
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def was_hit(remote: Simulation) -> bool:
    """True when the first fault has struck."""
    return bool((await remote.admin("GET", "faults"))["rules"][0]["hits"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_at_once_even_with_a_silent_call(
    server: tuple[asyncio.subprocess.Process, str], number: signal.Signals
) -> None:
    process, url = server
    assert ":0" not in url
    remote = Simulation()
    remote.url = url
    async with aiohttp.ClientSession() as remote.client:
        token = (await remote.admin("POST", "bots"))["token"]
        await remote.admin("PUT", "faults", rules=[{"kind": "timeout_before"}])
        call = asyncio.create_task(remote.api(token, "getMe"))
        await until(partial(was_hit, remote))
        process.send_signal(number)
        async with asyncio.timeout(5):
            assert await process.wait() == 0
        with pytest.raises(aiohttp.ClientError):
            await call
    assert process.stderr is not None
    assert await process.stderr.read() == b""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--port", "70000"], "must be from 0 to 65535"),
        (["serve", "--port", "x"], "is no number"),
        (["serve", "--limits", "loose"], "invalid choice"),
        (["serve", "--latency", "80-20"], "latency must go from a smaller to a larger number"),
        (["serve", "--time-scale", "0"], "must be above 0"),
        (["serve", "--keep-effects", "0"], "must be at least 1"),
        ([], "required"),
        (["drive", "press", "x"], "--message"),
    ],
)
def test_wrong_arguments(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    text = capsys.readouterr().out
    for option in ("--host", "--port", "--limits", "--latency", "--time-scale", "--log", "--seed", "--local"):
        assert option in text


@pytest.fixture
def run(sim: Simulation, capsys: pytest.CaptureFixture[str]) -> Callable[..., Awaitable[str]]:
    """A drive verb: its exit code and all that it printed."""

    async def drive(*arguments: str) -> str:
        # In a thread, because the server it talks to runs in this loop.
        code = await asyncio.to_thread(main, ["drive", "--url", sim.url, *arguments])
        output = capsys.readouterr()
        return f"{code} {output.out}{output.err}"

    return drive


async def test_driving_from_the_shell(scene: Any, run: Callable[..., Awaitable[str]]) -> None:
    said = await run("say", "hello there")
    assert str(scene.bot_id) in said
    markup = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
    sent = await scene.ok("sendMessage", chat_id=scene.user_id, text="hi", reply_markup=markup)
    chat = await run("chat")
    assert "Ada: hello there" in chat
    assert "[Go] go" in chat
    await run("press", "--message", str(sent["message_id"]), "go")
    kinds = [next(iter(update.keys() - {"update_id"})) for update in await scene.updates()]
    assert kinds == ["message", "callback_query"]
    assert '"method": "sendMessage"' in await run("effects", "--method", "sendMessage")
    assert '"kind": "cut"' in await run("faults", json.dumps([{"kind": "cut", "times": 1}]))
    assert '"rules": []' in await run("faults", "none")
    assert "muster_bot" in await run("bots")
    assert '"ok": true' in await run("call", "GET", "/admin/health")
    assert (await run("call", "GET", "/admin/bots/1")).startswith("1 telegram_sim: ")
    assert (await run("faults", "{")).startswith("1 telegram_sim: not JSON")
    assert '"ok": true' in await run("reset")


def test_a_server_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drive", "--url", "http://127.0.0.1:9", "bots"]) == 1
    assert "http://127.0.0.1:9" in capsys.readouterr().err


async def test_a_port_that_is_taken(sim: Simulation) -> None:
    port = sim.url.rsplit(":", 1)[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "telegram_sim", "serve", "--port", port, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"telegram_sim: " in errors
