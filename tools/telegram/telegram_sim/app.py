"""Puts one simulation together and mounts it on an HTTP application."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from telegram_sim.actors import Actors
from telegram_sim.admin.routes import add_routes
from telegram_sim.bot_api import BotApi
from telegram_sim.bots import Bot
from telegram_sim.clock import Clock
from telegram_sim.effects import EffectLog
from telegram_sim.errors import ApiError
from telegram_sim.gate import Gate
from telegram_sim.latency import Latency
from telegram_sim.limits import LimitSettings
from telegram_sim.page.routes import Page
from telegram_sim.params import Params
from telegram_sim.post_office import PostOffice
from telegram_sim.postman import Postman
from telegram_sim.stage import Stage
from telegram_sim.world import FIRST_USER_ID, Memory, World

BODY_LIMIT = 64 << 20  # bytes of one request; the real server takes 50 MB files


@dataclass(frozen=True)
class Options:
    """How a simulation is set up."""

    time_scale: float = 1.0
    log: Path | None = None
    seed: int | None = None
    local: bool = True
    limits: LimitSettings = field(default_factory=LimitSettings)
    latency: Latency = field(default_factory=Latency)
    memory: Memory = field(default_factory=Memory)
    first_user: int = FIRST_USER_ID


STAGE = web.AppKey("stage", Stage)


async def create_app(options: Options) -> web.Application:
    """An application with its stage; async because an HTTP client needs a running loop."""
    app = web.Application(client_max_size=BODY_LIMIT)
    stage = create_stage(options)
    app[STAGE] = stage
    BotApi(stage.gate).add_routes(app)
    add_routes(app, stage)
    Page(stage).add_routes(app)

    async def close(_app: web.Application) -> None:
        await stage.office.stop()
        await stage.office.postman.close()
        stage.world.effects.close()

    app.on_cleanup.append(close)
    return app


def create_stage(options: Options) -> Stage:
    """The world and all that works on it."""
    clock = Clock(options.time_scale)
    rng = random.Random(options.seed)  # noqa: S311 nothing here is a secret
    effects = EffectLog(options.memory.effects, options.log)
    world = World(clock=clock, effects=effects, memory=options.memory, rng=rng, first_user=options.first_user)
    office = PostOffice(Postman(clock), clock, rng, local=options.local)
    gate = Gate(world, office, limits=options.limits, latency=options.latency)

    async def execute(bot: Bot, call: dict[str, object]) -> None:
        # Nobody hears the result, nor that there is no such method (W9).
        with suppress(ApiError):
            await gate.run(bot, str(call["method"]), Params(call), via="webhook")

    office.execute = execute
    return Stage(world, office, gate, Actors(world))
