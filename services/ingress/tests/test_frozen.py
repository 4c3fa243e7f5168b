"""The platform freezes the process between requests: the first update after it is taken, once (vercel.md §6)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest
from common.bus import topology
from common.queues import DM_QUEUE
from common.testing.polling import eventually
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy
from ingress.webhook import PATH
from stack.ports import free_ports
from stack.servers import Server

from .conftest import BOT_ID, NEW_KEY, SECRET_HEADER, secret
from .updates import private_text

pytestmark = pytest.mark.timeout(60)  # the private broker's start is on the first test


def taken(url: str, update_id: int) -> int:
    """The status of one update's post."""
    update = json.dumps(private_text(update_id=update_id)).encode()
    return httpx.post(url + PATH, content=update, headers={SECRET_HEADER: secret()}, trust_env=False).status_code


async def alive(url: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"{url}/readyz")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("ends", [TcpProxy.cut, TcpProxy.reset])
async def test_the_first_update_after_a_freeze_is_taken_once(
    private_rabbitmq: Server, db: Database, ends: Callable[[TcpProxy], None]
) -> None:
    """During it the broker gave the connection up: what a heartbeat does that nobody answers."""
    await topology.declare(private_rabbitmq.url)
    (port,) = free_ports(1)
    async with Broker(private_rabbitmq.url) as broker, TcpProxy.before(private_rabbitmq.url) as proxy:
        await broker.purge(DM_QUEUE.name)
        environment = {
            "PATH": os.defpath,
            "DATABASE_URL": db.url,
            "AMQP_URL": proxy.through(private_rabbitmq.url),
            "MUSTER_WEBHOOK_KEYS": NEW_KEY,
            "MUSTER_HOST": "127.0.0.1",
            "MUSTER_PORT": str(port),
        }
        url = f"http://127.0.0.1:{port}"
        process = subprocess.Popen([sys.executable, "-m", "ingress"], env=environment)  # noqa: ASYNC220 (short)
        try:
            await eventually(lambda: alive(url), within=20)
            assert await asyncio.to_thread(taken, url, 1) == 200
            process.send_signal(signal.SIGSTOP)
            ends(proxy)
            process.send_signal(signal.SIGCONT)
            assert await asyncio.to_thread(taken, url, 2) == 200
            jobs = [str((await broker.take(DM_QUEUE.name)).headers["job_id"]) for _ in range(2)]
            assert jobs == [f"tg:{BOT_ID}:1", f"tg:{BOT_ID}:2"]
            assert await broker.depth(DM_QUEUE.name) == 0
            async with db.transaction() as tx:
                assert await tx.fetchval("SELECT count(*) FROM outbox") == 0
        finally:
            process.kill()
            process.wait()
