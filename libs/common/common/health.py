"""What probes and Prometheus ask a worker: /livez, /readyz, /metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from common.telemetry import metrics

Check = Callable[[], Awaitable[None]]
_BEAT = 1.0  # seconds
_PATIENCE = 2.0  # seconds for one check
_STALLED = 15.0  # seconds without a beat: the loop hangs


class Health:
    """A bare 200 would say nothing: live means that the event loop runs, ready that every check passes."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._last_beat = time.monotonic()
        self._runner: web.AppRunner | None = None
        self._beating: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Port 0 takes a free one; it is in `port` afterwards."""
        app = web.Application()
        app.add_routes(
            [web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._beating = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        """Probes get no answer from here on."""
        if self._beating is not None:
            self._beating.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _beat(self) -> None:
        while True:
            self._last_beat = time.monotonic()
            await asyncio.sleep(_BEAT)
            metrics.LOOP_LAG_SECONDS.observe(max(0.0, time.monotonic() - self._last_beat - _BEAT))

    async def _livez(self, _: web.Request) -> web.Response:
        stalled = time.monotonic() - self._last_beat > _STALLED
        return web.json_response({"status": "stalled" if stalled else "ok"}, status=503 if stalled else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        results = {name: await _passes(check) for name, check in self._checks.items()}
        return web.json_response(results, status=200 if all(v == "ok" for v in results.values()) else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _passes(check: Check) -> str:
    try:
        async with asyncio.timeout(_PATIENCE):
            await check()
    except Exception as error:  # noqa: BLE001 (not ready is an answer, whatever the reason)
        return type(error).__name__
    return "ok"
