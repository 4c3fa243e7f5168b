"""SIGTERM under requests: each is answered, and each answer says that this connection is over."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import httpx
import pytest
from common.testing.polling import eventually
from stack.ports import LOOPBACK, free_ports

pytestmark = pytest.mark.timeout(60)
KEYS = {"MUSTER_WEBHOOK_KEYS": f"1:{'0' * 64}", "MUSTER_ENCRYPTION_KEYS": f"k1:{'A' * 43}="}
NOWHERE = {"DATABASE_URL": "postgresql://u:p@127.0.0.1:9/x", "AMQP_URL": "amqp://u:p@127.0.0.1:9/"}


async def test_a_kept_connection_is_given_up_by_an_answer() -> None:
    (port,) = free_ports(1)
    environment = os.environ | KEYS | NOWHERE | {"MUSTER_HOST": LOOPBACK, "MUSTER_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ingress", env=environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", trust_env=False) as client:

            async def alive() -> bool:
                try:
                    return (await client.get("/livez")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(alive, within=30)
            assert "connection" not in (await client.get("/livez")).headers
            process.send_signal(signal.SIGTERM)
            answers = []
            while not answers or answers[-1].headers.get("connection") != "close":
                answers.append(await client.get("/livez"))  # a connection that breaks is an error
            assert {answer.status_code for answer in answers} == {200}
            assert (await client.get("/livez")).headers["connection"] == "close", "it still takes new ones"
        assert await asyncio.wait_for(process.wait(), 15) == -signal.SIGTERM
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
