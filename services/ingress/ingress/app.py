"""Builds the application. Importing and starting it opens nothing and needs no environment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from common import heap
from common.telemetry.setup import Telemetry, start_tracing
from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from starlette.types import ASGIApp, Receive, Scope, Send

from ingress import health, parameters, problems, webhook
from ingress.api import bots, broadcasts, groups, keys, media, messages, revisions, schedules, trail, webhooks
from ingress.backend import Backend
from ingress.flush import FlushTraces
from ingress.openapi import describe
from ingress.problems import Surprises
from ingress.tracing import TraceIds
from ingress.traffic import Requests

MAX_BODY = 256 * 1024  # bytes, for everything but the webhook and uploads
_DESCRIPTION = "Runs fleets of Telegram groups: broadcasts, groups, bots and keys; Telegram's webhooks arrive here too."


class Door:
    """The webhook before everything else, so that its requests pay for none of the framework's layers."""

    def __init__(self, on_webhook: ASGIApp, app: ASGIApp) -> None:
        self._on_webhook = on_webhook
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """By the path alone: the webhook answers other methods itself."""
        is_webhook = scope["type"] == "http" and scope["path"] == webhook.PATH
        await (self._on_webhook if is_webhook else self._app)(scope, receive, send)


def create_app() -> ASGIApp:
    """The FastAPI app behind the door, inside the wrapper that flushes traces after the answer."""
    telemetry = start_tracing("ingress")
    backend = Backend()
    return FlushTraces(Door(webhook.Webhook(backend), _api(backend, telemetry)), telemetry)


def _api(backend: Backend, telemetry: Telemetry) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        heap.settle()
        yield  # connects to nothing and can't fail (vercel.md §2)
        await backend.close()

    app = FastAPIOffline(  # /docs with scripts of ours: operators paste API keys there
        redoc_url=None,
        static_url="/docs/assets",
        title="Muster",
        version=version("muster-ingress"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.backend = backend
    problems.install(app)
    app.add_middleware(Surprises)
    app.add_middleware(TraceIds)
    app.add_middleware(Requests)  # the last added is the outermost
    for resource in (messages, media, broadcasts, revisions, schedules, webhooks, groups, bots, keys, trail):
        # The limit is each router's: the app's own would answer outside of what makes problems, in plain text.
        app.include_router(resource.router, dependencies=[Depends(parameters.known)], max_body_size=MAX_BODY)
    app.include_router(health.router, max_body_size=MAX_BODY)
    describe(app)
    if telemetry.on:
        FastAPIInstrumentor.instrument_app(
            app, excluded_urls="livez,readyz,docs,openapi.json", exclude_spans=["receive", "send"]
        )
    return app
