"""Rules of the platform that starts us cold (vercel.md §6), as far as a process on this machine can break them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from ingress import app as ingress_app
from ingress.__main__ import DRAIN
from ingress.webhook import PATH
from stack.ports import free_ports

from .conftest import NEW_KEY, SECRET_HEADER, secret

_ROOT = Path(ingress_app.__file__).parents[1]  # where app.py is, as on the platform
_BARE = {"PATH": os.defpath}
_LOOK = """
import json, sys
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event.startswith("socket.") or (
    event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")) else None)
import app
from inspect import iscoroutinefunction, signature
call = type(app.app).__call__
print(json.dumps({"seen": seen, "modules": sorted(m for m in sys.modules if "." not in m),
    "asgi": iscoroutinefunction(call) and len(signature(call).parameters) == 4}))
"""


@pytest.fixture(scope="module")
def cold() -> dict[str, object]:
    """What an import of app.py did, in a process of its own with an empty environment."""
    bare = {**_BARE, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _LOOK], cwd=_ROOT, env=bare, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_importing_opens_no_socket_and_writes_no_file(cold: dict[str, object]) -> None:
    assert cold["seen"] == []


def test_importing_brings_no_library_of_the_workers(cold: dict[str, object]) -> None:
    modules = cold["modules"]
    assert isinstance(modules, list)
    workers = {"aiogram", "aiohttp", "aio_pika", "aiormq", "cryptography", "requests", "urllib3", "grpc"}
    assert not workers & set(modules)


def test_what_is_imported_is_an_application_of_three_parameters(cold: dict[str, object]) -> None:
    assert cold["asgi"]


@contextmanager
def serving(**settings: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`python -m ingress` on a free port, answering."""
    (port,) = free_ports(1)
    environment = {
        **_BARE,
        "DATABASE_URL": "postgresql://127.0.0.1:1/none",
        "AMQP_URL": "amqp://127.0.0.1:1",
        "MUSTER_WEBHOOK_KEYS": NEW_KEY,
        "MUSTER_HOST": "127.0.0.1",
        "MUSTER_PORT": str(port),
        **settings,
    }
    process = subprocess.Popen([sys.executable, "-m", "ingress"], env=environment, stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_alive(url)
        yield process, url
    finally:
        process.kill()
        process.communicate()


def wait_alive(url: str) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/livez", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise AssertionError("the ingress did not start")


def test_an_idle_process_ends_within_half_a_second() -> None:
    with serving() as (process, _):
        time.sleep(0.2)  # until it knows that the connection which asked whether it serves is closed
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(5)
        assert time.monotonic() - started < 0.5
        assert process.returncode in {0, -signal.SIGTERM}  # uvicorn raises the signal again when it is done
        assert process.stderr is not None
        assert b"rror" not in process.stderr.read()


def test_a_kept_alive_connection_holds_the_end_up_for_its_farewell_alone() -> None:
    with serving() as (process, url), httpx.Client(trust_env=False) as client:
        client.get(f"{url}/livez")
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(5)
        assert time.monotonic() - started < DRAIN + 0.5


def test_answers_on_the_wire() -> None:
    """Empty bodies, no server's name, and a connection that stays open for Telegram's next update."""
    with serving() as (_, url), httpx.Client(base_url=url, trust_env=False) as client:
        update = {"update_id": 1, "message": {"chat": {"id": 42, "type": "private"}}}
        answers = [
            client.post(PATH, json=update, headers={SECRET_HEADER: secret()}),
            client.post(PATH, json=update, headers={SECRET_HEADER: "wrong"}),
            client.get(PATH),
            client.post(PATH, content=b"x" * (1024 * 1024 + 1), headers={SECRET_HEADER: secret()}),
        ]
        assert [answer.status_code for answer in answers] == [503, 401, 405, 413]
        assert {answer.content for answer in answers} == {b""}
        assert not any("server" in answer.headers for answer in answers)
        assert answers[0].headers["retry-after"] == "5"
        assert client.get(f"{PATH}/").status_code == 404


def test_a_missing_setting_ends_the_process_with_its_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ingress"], env=_BARE, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    for name in ("DATABASE_URL", "AMQP_URL", "MUSTER_WEBHOOK_KEYS"):
        assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_that_can_not_be_used_is_not_shown() -> None:
    settings = {"DATABASE_URL": "mysql://u:canary@h/d", "AMQP_URL": "amqp://h", "MUSTER_WEBHOOK_KEYS": "1:canary"}
    environment = {**_BARE, **settings}
    done = subprocess.run(
        [sys.executable, "-m", "ingress"], env=environment, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert "canary" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
