"""What probes and Prometheus are told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from common import health as healths
from common.errors import StoreUnavailable
from common.health import Check, Health
from common.testing.polling import eventually


async def passes() -> None:
    """Nothing is wrong."""


async def fails() -> None:
    raise StoreUnavailable("canary")


async def surprises() -> None:
    raise ValueError("canary")


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def ask(http: aiohttp.ClientSession, health: Health, path: str) -> tuple[int, str]:
    async with http.get(f"http://127.0.0.1:{health.port}{path}") as answer:
        return answer.status, await answer.text()


async def started(checks: dict[str, Check]) -> Health:
    health = Health(checks)
    await health.start("127.0.0.1", 0)
    return health


@pytest.mark.parametrize(
    ("check", "status", "text"),
    [(passes, 200, "ok"), (fails, 503, "StoreUnavailable"), (surprises, 503, "ValueError")],
)
async def test_ready_names_what_is_wrong_and_quotes_nothing(
    http: aiohttp.ClientSession, check: Check, status: int, text: str
) -> None:
    health = await started({"database": check, "broker": passes})
    assert await ask(http, health, "/readyz") == (status, f'{{"database": "{text}", "broker": "ok"}}')
    assert (await ask(http, health, "/livez"))[0] == 200
    await health.stop()


async def test_a_check_that_hangs_is_an_answer_too(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healths, "_PATIENCE", 0.05)
    health = await started({"database": asyncio.Event().wait})  # type: ignore[dict-item]  # its result does not matter
    assert await ask(http, health, "/readyz") == (503, '{"database": "TimeoutError"}')
    await health.stop()


async def test_a_loop_that_hangs_is_not_live(http: aiohttp.ClientSession) -> None:
    health = await started({})
    assert (await ask(http, health, "/livez"))[0] == 200
    health._last_beat -= 60
    assert (await ask(http, health, "/livez"))[0] == 503
    await eventually(lambda: lives(http, health), within=3)
    await health.stop()


async def test_metrics_are_prometheus_text(http: aiohttp.ClientSession) -> None:
    health = await started({})
    status, text = await ask(http, health, "/metrics")
    assert status == 200
    assert "# TYPE muster_jobs_handled_total counter" in text
    await health.stop()


async def test_a_loop_that_was_held_up_says_for_how_long(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healths, "_BEAT", 0.01)
    health = await started({})
    await asyncio.sleep(0.02)
    time.sleep(0.2)  # noqa: ASYNC251 (this is what is measured)
    await asyncio.sleep(0.02)
    _, text = await ask(http, health, "/metrics")
    lag = next(float(line.split()[1]) for line in text.splitlines() if line.startswith("muster_loop_lag_seconds_sum"))
    assert lag > 0.15
    await health.stop()


async def test_after_the_stop_nobody_answers(http: aiohttp.ClientSession) -> None:
    health = await started({})
    await health.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(http, health, "/livez")


async def lives(http: aiohttp.ClientSession, health: Health) -> bool:
    return (await ask(http, health, "/livez"))[0] == 200
