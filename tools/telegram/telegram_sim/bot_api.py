"""The Bot API's routes: /bot<token>/<method>."""

from __future__ import annotations

from aiohttp import web

from telegram_sim.errors import ApiError
from telegram_sim.gate import Gate, encode
from telegram_sim.params import read_params


class BotApi:
    """Turns HTTP requests into calls and outcomes into HTTP answers."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def add_routes(self, app: web.Application) -> None:
        """Any HTTP method will do, as on the real server."""
        app.router.add_route("*", r"/bot{token:[^/]+}/{method:[^/]+}", self.call)

    async def call(self, request: web.Request) -> web.StreamResponse:
        """One method call."""
        try:
            bot = self.gate.bot_of(request.match_info["token"])
            params = await read_params(request)
            status, body = await self.gate.run(bot, request.match_info["method"], params)
        except ApiError as error:
            status, body = error.code, encode(error.body())
        return web.Response(status=status, body=body, content_type="application/json")
