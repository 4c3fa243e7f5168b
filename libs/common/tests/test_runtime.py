"""A worker as a process: how it starts, what SIGTERM and SIGKILL leave behind, and what it says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE, Queue
from common.runtime import JobStore
from common.store import dead_letters, outbox
from common.testing.builders import make_envelope, make_private_job
from common.testing.polling import eventually
from common.testing.postgres import Database
from common.testing.rabbitmq import Broker
from common.testing.tcp_proxy import TcpProxy

WORKER = textwrap.dedent("""
    import asyncio, sys
    from common import runtime
    from common.queues import DM_QUEUE, Queue
    from common.settings import WorkerSettings

    async def handle(job):
        print("begun", job.update_id, flush=True)
        await asyncio.sleep(float(sys.argv[2]))
        print("done", job.update_id, flush=True)

    async def main():
        async with runtime.worker("test", WorkerSettings.load()) as worker:
            await worker.consume(Queue(sys.argv[1], DM_QUEUE.adapter), handle)

    runtime.run(main())
""")


@dataclass
class Worker:
    """What it said so far: its own prints, and its log as objects."""

    process: asyncio.subprocess.Process
    out: list[str]
    log: list[dict[str, Any]]

    async def ready(self, http: aiohttp.ClientSession) -> bool:
        """What its probe says."""
        port = next((line["health_port"] for line in self.log if "health_port" in line), None)
        if port is None:
            return False
        async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200


@asynccontextmanager
async def working(queue: Queue[ProcessPrivateMessage], seconds: float, **environment: str) -> AsyncIterator[Worker]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WORKER,
        queue.name,
        str(seconds),
        env=os.environ | {"MUSTER_HEALTH_PORT": "0", "MUSTER_HEALTH_HOST": "127.0.0.1"} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    worker = Worker(process, [], [])
    readers = [
        asyncio.create_task(read(process.stdout, worker.out.append)),
        asyncio.create_task(read(process.stderr, lambda line: worker.log.append(json.loads(line)))),
    ]
    try:
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await asyncio.gather(*readers)


async def read(stream: asyncio.StreamReader | None, keep: Any) -> None:
    assert stream is not None
    async for line in stream:
        keep(line.decode().strip())


async def put(broker: Broker, queue: Queue[ProcessPrivateMessage], *numbers: int) -> None:
    for number in numbers:
        await broker.put(queue.name, queue.adapter.dump_json(make_private_job(number)))


async def test_sigterm_finishes_what_runs_and_hands_back_the_rest(broker: Broker, db: Database) -> None:
    """F8 in small: nothing lost, nothing doubled, exit code 0, well inside the grace period."""
    queue = await broker.queue(DM_QUEUE)
    await put(broker, queue, 1, 2, 3)
    async with working(queue, 0.4, DATABASE_URL=db.url) as worker, aiohttp.ClientSession() as http:
        await eventually(lambda: worker.ready(http), within=15)
        await eventually(lambda: "begun 1" in worker.out)
        worker.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.process.wait(), 10) == 0
    assert worker.out == ["begun 1", "done 1"]
    assert [line["message"] for line in worker.log] == ["started", "stopped"]
    assert await broker.depth(queue.name) == 2


async def test_sigkill_leaves_every_job_in_the_queue(broker: Broker, db: Database) -> None:
    queue = await broker.queue(DM_QUEUE)
    await put(broker, queue, 1, 2, 3)
    async with working(queue, 30, DATABASE_URL=db.url) as worker:
        await eventually(lambda: "begun 1" in worker.out, within=15)
        worker.process.kill()
        await worker.process.wait()
    await eventually(lambda: is_depth(broker, queue.name, 3))


async def test_a_worker_starts_while_broker_and_database_are_away_and_finds_them(broker: Broker, db: Database) -> None:
    queue = await broker.queue(DM_QUEUE)
    async with (
        TcpProxy.before(broker.url) as to_broker,
        TcpProxy.before(db.url) as to_database,
        aiohttp.ClientSession() as http,
    ):
        to_broker.refuse = to_database.refuse = True
        urls = {"AMQP_URL": to_broker.through(broker.url), "DATABASE_URL": to_database.through(db.url)}
        async with working(queue, 0, **urls) as worker:
            await eventually(lambda: to_broker.accepted >= 2, within=15)
            assert not await worker.ready(http)
            to_broker.heal()
            to_database.heal()
            await eventually(lambda: worker.ready(http), within=15)
            await put(broker, queue, 1)
            await eventually(lambda: "done 1" in worker.out)
            worker.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(worker.process.wait(), 10) == 0


async def test_a_missing_setting_is_one_line_and_an_exit_code() -> None:
    clean = {key: value for key, value in os.environ.items() if not key.endswith(("DATABASE_URL", "AMQP_URL"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, "q", "0", env=clean, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    text = err.decode()
    assert text.startswith("muster: settings can't be used:")
    assert "DATABASE_URL: field required" in text
    assert "Traceback" not in text


async def test_a_parked_job_comes_back_by_the_outbox(db: Database) -> None:
    job = make_envelope(attempt=3)
    await JobStore(db.pool).park(job, timedelta(hours=1))
    async with db.transaction() as tx:
        assert await outbox.due(tx, 10) == []
        await tx.execute("UPDATE outbox SET run_at = now()")
    async with db.transaction() as tx:
        [row] = await outbox.due(tx, 10)
    assert row.envelope == job


async def test_a_buried_job_is_a_row_and_a_line(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    job = make_envelope(body=b"canary")
    await JobStore(db.pool).bury(job, "rejected", "because")
    async with db.transaction() as tx:
        [letter] = await dead_letters.unresolved(tx, 10)
    assert (letter.job_id, letter.cause, letter.reason) == (job.job_id, "rejected", "because")
    [record] = [each for each in caplog.records if each.message == "dead letter"]
    assert record.__dict__["job_id"] == job.job_id
    assert "canary" not in str(record.__dict__)


async def is_depth(broker: Broker, name: str, depth: int) -> bool:
    return await broker.depth(name) == depth
