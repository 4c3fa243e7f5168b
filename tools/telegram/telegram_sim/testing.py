"""For tests: a simulation inside the test's own event loop, and a webhook that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from telegram_sim.app import STAGE, Options, create_app
from telegram_sim.postman import SECRET_HEADER
from telegram_sim.stage import Stage

LOOPBACK = "127.0.0.1"

Json = dict[str, Any]


async def until(holds: Callable[[], Awaitable[bool] | bool], *, within: float = 10.0) -> None:
    """Asks until the answer is yes, for what gives no signal of its own."""
    async with asyncio.timeout(within):
        while True:
            answer = holds()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.005)


class Simulation:
    """A running server on a free port, with a client for both of its APIs."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options(seed=1)
        self.url = ""
        self.stage: Stage
        self.runner: web.AppRunner
        self.client: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        app = await create_app(self.options)
        self.stage = app[STAGE]
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, LOOPBACK, 0).start()
        self.url = f"http://{LOOPBACK}:{self.runner.addresses[0][1]}"
        self.client = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.close()
        await self.runner.cleanup()

    async def admin(self, method: str, path: str, *, expect: int = 200, **body: Any) -> Json:
        """One admin request that must end in the expected status."""
        data = None if method in {"GET", "DELETE"} else body
        async with self.client.request(method, f"{self.url}/admin/{path}", json=data) as response:
            answer: Json = await response.json()
            assert response.status == expect, answer  # noqa: S101 this module is for tests
            return answer

    async def api(self, token: str, method: str, **params: Any) -> Json:
        """One Bot API call in JSON, answered with whatever the server says."""
        async with self.client.post(f"{self.url}/bot{token}/{method}", json=params) as response:
            answer: Json = await response.json()
            return answer

    async def ok(self, token: str, method: str, **params: Any) -> Any:
        """The result of a Bot API call that must succeed."""
        answer = await self.api(token, method, **params)
        assert answer["ok"], answer  # noqa: S101
        return answer["result"]

    async def refused(self, token: str, method: str, **params: Any) -> tuple[int, str]:
        """Code and description of a Bot API call that must fail."""
        answer = await self.api(token, method, **params)
        assert not answer["ok"], answer  # noqa: S101
        return answer["error_code"], answer["description"]

    async def updates(self, token: str) -> list[Json]:
        """Takes and confirms everything that waits in getUpdates."""
        found: list[Json] = await self.ok(token, "getUpdates")
        if found:
            await self.ok(token, "getUpdates", offset=found[-1]["update_id"] + 1)
        return found


@dataclass
class Posted:
    """One delivery as the webhook saw it."""

    at: float
    body: bytes
    secret: str | None
    peer: Any

    @property
    def update(self) -> Json:
        """The body as JSON."""
        parsed: Json = json.loads(self.body)
        return parsed


Script = Callable[[Posted], Awaitable[web.StreamResponse]]


async def accept(_posted: Posted) -> web.StreamResponse:
    """200 and nothing else."""
    return web.Response()


@dataclass
class Receiver:
    """A webhook; `script` decides each answer, `arrivals` tells of each delivery."""

    script: Script = accept
    posts: list[Posted] = field(default_factory=list)
    arrivals: asyncio.Queue[Posted] = field(default_factory=asyncio.Queue)
    in_flight: int = 0
    most_in_flight: int = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hook", self.receive)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, LOOPBACK, 0).start()
        self.url = f"http://{LOOPBACK}:{self.runner.addresses[0][1]}/hook"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.runner.cleanup()

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Notes the delivery and runs the script."""
        peer = request.transport.get_extra_info("peername") if request.transport else None
        body = await request.read()
        loop = asyncio.get_running_loop()
        posted = Posted(loop.time(), body, request.headers.get(SECRET_HEADER), peer)
        self.posts.append(posted)
        self.arrivals.put_nowait(posted)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self.script(posted)
        finally:
            self.in_flight -= 1

    async def take(self, count: int, *, within: float = 10.0) -> list[Posted]:
        """The next deliveries, waiting for them."""
        async with asyncio.timeout(within):
            return [await self.arrivals.get() for _ in range(count)]
