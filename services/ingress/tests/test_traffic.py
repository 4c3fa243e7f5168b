"""Rate, errors, duration: of every request, by its route and never by its path."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from common.queues import DM_QUEUE
from ingress.app import create_app
from ingress.traffic import count
from ingress.webhook import PATH
from prometheus_client import REGISTRY
from stack.ports import free_ports

from . import asgi
from .asgi import alive
from .conftest import NEW_KEY, Door
from .test_cold import serving
from .updates import private_text


def requests(method: str, route: str, status: int) -> float:
    labels = {"http_request_method": method, "http_route": route, "http_response_status_code": str(status)}
    return REGISTRY.get_sample_value("http_server_request_duration_seconds_count", labels) or 0.0


def updates(outcome: str) -> float:
    return REGISTRY.get_sample_value("muster_updates_total", {"outcome": outcome}) or 0.0


async def test_an_api_request_counts_under_its_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_WEBHOOK_KEYS", NEW_KEY)
    app, route = create_app(), "/api/broadcasts/{broadcast_id}"
    before = requests("GET", route, 401), requests("GET", "unmatched", 404)
    async with alive(app):
        for number in range(3):
            await asgi.request(app, f"/api/broadcasts/{number}", method="GET")
            await asgi.request(app, f"/strangers/{number}", method="GET")
    assert (requests("GET", route, 401), requests("GET", "unmatched", 404)) == (before[0] + 3, before[1] + 3)


def test_a_method_that_somebody_made_up_makes_no_series() -> None:
    count("SPAM-1", PATH, 405, 0.001)
    count("SPAM-2", PATH, 405, 0.001)
    assert requests("_OTHER", PATH, 405) >= 2
    assert requests("SPAM-1", PATH, 405) == 0


async def test_the_webhook_counts_requests_and_what_became_of_updates(door: Door) -> None:
    before = requests("POST", PATH, 200), updates("published"), updates("quarantined"), updates("outbox")
    await door.post(private_text())
    await door.post(b"not json")
    door.to_broker.refuse = True
    door.to_broker.cut()
    await door.post(private_text(update_id=8))
    after = requests("POST", PATH, 200), updates("published"), updates("quarantined"), updates("outbox")
    assert [b - a for a, b in zip(before, after, strict=True)] == [3, 1, 1, 1]


async def test_a_job_knows_when_its_update_arrived(door: Door) -> None:
    await door.post(private_text())
    job = json.loads((await door.job(DM_QUEUE.name)).body)
    assert abs(time.time() - job["received_ms"] / 1000) < 10


def test_metrics_are_on_a_port_of_their_own_and_nowhere_else() -> None:
    (port,) = free_ports(1)
    with serving(MUSTER_METRICS_PORT=str(port)) as (_, url):
        httpx.post(f"{url}{PATH}", trust_env=False)
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        assert httpx.get(f"{url}/metrics", trust_env=False).status_code == 404
    assert 'http_route="/api/webhooks/telegram"' in text
    assert 'muster_build_info{service="ingress"' in text


def links(pid: int) -> Iterator[str]:
    """What its descriptors are; some are closed while one looks, for it tries to reach its servers."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield str(descriptor.readlink())


def test_without_the_setting_there_is_no_second_port() -> None:
    with serving() as (process, _):
        inodes = {link.removeprefix("socket:[").removesuffix("]") for link in links(process.pid)}
        table = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
    assert len(inodes & {row[9] for row in table if row[3] == "0A"}) == 1


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {
            "DATABASE_URL": "postgresql://127.0.0.1:1/none",
            "AMQP_URL": "amqp://127.0.0.1:1",
            "MUSTER_WEBHOOK_KEYS": NEW_KEY,
            "MUSTER_HOST": "127.0.0.1",
            "MUSTER_METRICS_PORT": str(taken.getsockname()[1]),
        }
        done = subprocess.run(
            [sys.executable, "-m", "ingress"],
            env={"PATH": os.defpath, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "MUSTER_METRICS_PORT" in done.stderr
