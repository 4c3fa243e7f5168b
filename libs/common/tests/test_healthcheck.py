"""What an engine is told that asks by a command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from common import healthcheck
from common.errors import StoreUnavailable
from common.health import Health


async def fails() -> None:
    raise StoreUnavailable("canary")


@pytest.fixture
async def healthy() -> AsyncIterator[Health]:
    health = Health({})
    await health.start("127.0.0.1", 0)
    yield health
    await health.stop()


async def test_ready(healthy: Health) -> None:
    assert await asyncio.to_thread(healthcheck.main, [str(healthy.port)]) == 0


async def test_not_ready_names_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    health = Health({"database": fails})
    await health.start("127.0.0.1", 0)
    try:
        assert await asyncio.to_thread(healthcheck.main, [str(health.port)]) == 1
    finally:
        await health.stop()
    said = capsys.readouterr().err
    assert "database" in said
    assert "canary" not in said


async def test_a_service_that_waits_for_the_database_lives(capsys: pytest.CaptureFixture[str]) -> None:
    health = Health({"database": fails})
    await health.start("127.0.0.1", 0)
    try:
        assert await asyncio.to_thread(healthcheck.main, [str(health.port), "/livez"]) == 0
        health._last_beat -= 60
        assert await asyncio.to_thread(healthcheck.main, [str(health.port), "/livez"]) == 1
    finally:
        await health.stop()
    assert capsys.readouterr().err.startswith("not live: ")


async def test_nobody_there(healthy: Health, capsys: pytest.CaptureFixture[str]) -> None:
    await healthy.stop()
    assert await asyncio.to_thread(healthcheck.main, [str(healthy.port)]) == 1
    assert capsys.readouterr().err.startswith("not ready: ")


@pytest.mark.parametrize("words", [[], ["http"], ["9090", "9091"], ["-1"], ["9090", "/livez", "x"]])
def test_bad_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert healthcheck.main(words) == 2
    assert "usage" in capsys.readouterr().err
