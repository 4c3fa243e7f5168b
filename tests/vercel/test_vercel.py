"""The ingress built by Vercel's CLI and run by Vercel's runtime (vercel.md §3)."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import aio_pika
import pytest
from common.bus import topology
from common.ids import BotId
from common.keys import KeyRing, WebhookSecrets
from common.queues import DM_QUEUE
from function import Function

pytestmark = [pytest.mark.vercel, pytest.mark.timeout(400)]
BOT = BotId(7000000001)
KEYS = "1:" + "ab" * 32
PATH = "/api/webhooks/telegram"


def environment() -> dict[str, str]:
    """What an operator sets in the project."""
    return {
        "DATABASE_URL": os.environ["DATABASE_URL"],
        "AMQP_URL": os.environ["AMQP_URL"],
        "MUSTER_WEBHOOK_KEYS": KEYS,
        "MUSTER_ENCRYPTION_KEYS": "k1:" + "A" * 43 + "=",
    }


def update(update_id: int) -> bytes:
    """A private message."""
    message = {"message_id": 1, "date": 1, "chat": {"id": 42, "type": "private"}, "from": {"id": 42}, "text": "hi"}
    return json.dumps({"update_id": update_id, "message": message}).encode()


def jobs_waiting() -> dict[str, int]:
    """How often each job id stands in the queue, which is emptied."""

    async def take() -> dict[str, int]:
        connection = await aio_pika.connect(os.environ["AMQP_URL"])
        async with connection:
            queue = await (await connection.channel()).get_queue(DM_QUEUE.name)
            found: dict[str, int] = {}
            while message := await queue.get(fail=False, no_ack=True):
                job_id = str(message.headers["job_id"])
                found[job_id] = found.get(job_id, 0) + 1
            return found

    return asyncio.run(take())


def test_the_bundle_holds_what_the_ingress_needs_and_no_more(function_folder: Path) -> None:
    config = json.loads((function_folder / ".vc-config.json").read_text())
    vendored = {path.name for path in (function_folder / "_vendor").iterdir()}
    size = sum(path.stat().st_size for path in function_folder.rglob("*") if path.is_file())
    assert config["runtime"] == "python3.12"
    assert config["maxDuration"] == 30  # a mistyped `functions` key would be ignored without a word
    assert {"fastapi", "common", "ingress"} <= vendored
    assert not {"aiogram", "aio_pika", "tests"} & vendored  # aiohttp is there for bots, and never imported at the start
    assert size < 100 * 2**20
    assert {path.name for path in function_folder.iterdir()} == {
        "_vendor",
        ".python-version",
        "app.py",
        "vc__handler__python.py",
        ".vc-config.json",
    }


def test_the_bundle_ships_this_tree_and_not_a_stale_copy(function_folder: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    for package in ("libs/common/common", "services/ingress/ingress"):
        for source in (root / package).rglob("*.py"):
            shipped = function_folder / "_vendor" / source.relative_to((root / package).parent)
            assert shipped.read_bytes() == source.read_bytes(), source


def test_a_webhook_is_durable_also_after_a_freeze_and_the_end_is_quick(
    function_folder: Path, python: Path, tmp_path: Path
) -> None:
    """A10: frozen for longer than the broker's patience, the first request after it is answered 200, its job there
    once.
    """
    asyncio.run(topology.declare(os.environ["AMQP_URL"]))
    jobs_waiting()
    secret = {"X-Telegram-Bot-Api-Secret-Token": WebhookSecrets(KeyRing.from_hex(KEYS)).secret(BOT)}
    with Function(function_folder, python, environment(), tmp_path / "log") as function:
        assert function.post(PATH, update(1), {"X-Telegram-Bot-Api-Secret-Token": "wrong"})[0] == 401
        assert [function.post(PATH, update(n), secret)[0] for n in (1, 2)] == [200, 200]
        function.freeze()
        time.sleep(40)  # 10 s heartbeat: the broker closes after three that it missed
        function.thaw()
        status, seconds = function.post(PATH, update(3), secret)
        assert (status, seconds < 2.5) == (200, True)
        assert jobs_waiting() == {f"tg:{BOT}:{n}": 1 for n in (1, 2, 3)}
        assert function.stop() < 0.5
