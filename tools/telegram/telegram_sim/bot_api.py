"""The Bot API's routes: /bot<token>/<method>, its test twin, and file downloads."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

from telegram_sim.errors import ApiError
from telegram_sim.gate import Gate
from telegram_sim.outcomes import Outcome, Reply, Reset, Silence, refusal
from telegram_sim.params import read_params

SILENCE = 300.0  # seconds; clients give up long before
LOOK_EVERY = 0.2  # seconds between looks whether a silent connection's client is still there


class BotApi:
    """Turns HTTP requests into calls and outcomes into HTTP answers."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def add_routes(self, app: web.Application) -> None:
        """Any HTTP method will do, as on the real server."""
        app.router.add_route("*", r"/bot{token:[^/]+}/{method:[^/]+}", self.call)
        app.router.add_route("*", r"/bot{token:[^/]+}/test/{method:[^/]+}", self.call)
        app.router.add_get(r"/file/bot{token:[^/]+}/{path:.+}", self.download)
        app.router.add_get(r"/file/bot{token:[^/]+}/test/{path:.+}", self.download)

    async def call(self, request: web.Request) -> web.StreamResponse:
        """One method call."""
        try:
            bot = self.gate.bot_of(request.match_info["token"])
            self.gate.method(request.match_info["method"])
            outcome = await self.gate.run(bot, request.match_info["method"], await read_params(request))
        except ApiError as error:
            outcome = refusal(error)
        except web.HTTPRequestEntityTooLarge:
            outcome = refusal(ApiError(413))
        return await answer(request, outcome)

    async def download(self, request: web.Request) -> web.StreamResponse:
        """core.telegram.org/bots/api#getfile: the content behind a file_path."""
        try:
            self.gate.bot_of(request.match_info["token"])
        except ApiError as error:
            return await answer(request, refusal(error))
        stored = self.gate.world.files.by_path.get(request.match_info["path"])
        if stored is None:
            return await answer(request, refusal(ApiError(404)))
        return web.Response(body=stored.content, content_type="application/octet-stream")


async def answer(request: web.Request, outcome: Outcome) -> web.StreamResponse:
    """The outcome on the wire."""
    if isinstance(outcome, Reply) and outcome.cut_at is None:
        return web.Response(
            status=outcome.status, body=outcome.body, content_type=outcome.content_type, headers=outcome.headers
        )
    if isinstance(outcome, Reply):
        return await answer_half(request, outcome)
    if isinstance(outcome, Silence):
        await wait_for_hangup(request)
    if isinstance(outcome, Reset):
        reset(request)
    return web.Response()


async def answer_half(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Promises the whole body, sends its beginning and closes."""
    response = web.StreamResponse(status=reply.status)
    response.content_type = reply.content_type
    response.content_length = len(reply.body)
    await response.prepare(request)
    await response.write(reply.body[: reply.cut_at])
    if request.transport:
        request.transport.close()
    return response


async def wait_for_hangup(request: web.Request) -> None:
    """Says nothing until the client is gone."""
    for _ in range(int(SILENCE / LOOK_EVERY)):
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(LOOK_EVERY)
    reset(request)


def reset(request: web.Request) -> None:
    """Ends the connection with RST instead of FIN: a zero linger time does that."""
    if request.transport is None:
        return
    handle = request.transport.get_extra_info("socket")
    if handle is not None:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
