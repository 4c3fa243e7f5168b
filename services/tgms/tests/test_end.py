"""A worker that a surprise ends says what and where, and quotes nothing."""

from __future__ import annotations

import json
import subprocess
import sys

_MAIN = """
import asyncio
from common import runtime
from common.errors import LeaseLost
from common.telemetry.logs import setup_logging

async def fails(error):
    raise error

async def main():
    setup_logging("tgms", "INFO")
    async with asyncio.TaskGroup() as loops:
        loops.create_task(fails(ValueError("canary")))
        loops.create_task(fails(LeaseLost()))

runtime.run(main())
"""


def test_a_surprise_is_told_without_its_text() -> None:
    done = subprocess.run([sys.executable, "-c", _MAIN], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "canary" not in done.stderr + done.stdout
    surprise, ours = (json.loads(line) for line in done.stderr.splitlines())
    assert (surprise["level"], surprise["error"]) == ("critical", "ValueError")
    assert surprise["frames"][-1].endswith("fails")
    assert ours["error"].startswith("LeaseLost: Another process acts now")
