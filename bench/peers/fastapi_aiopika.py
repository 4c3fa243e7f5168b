"""The usual way, as FastAPI's and aio-pika's documentation show it: a lifespan, one robust connection, one confirming
channel, a model for the body. Told kindly: no access log, no middleware, no tracing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import aio_pika
from fastapi import FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict


class Update(BaseModel):
    """Telegram adds fields: they pass through."""

    model_config = ConfigDict(extra="allow")

    update_id: int


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connects once."""
    connection = await aio_pika.connect_robust(os.environ["AMQP_URL"])
    async with connection:
        app.state.channel = await connection.channel(publisher_confirms=True)
        yield


app = FastAPI(lifespan=lifespan)


@app.post(os.environ["BENCH_PATH"])
async def webhook(
    update: Update, request: Request, x_telegram_bot_api_secret_token: Annotated[str, Header()]
) -> Response:
    """200 when the broker has confirmed."""
    if not secrets.compare_digest(x_telegram_bot_api_secret_token, os.environ["BENCH_SECRET"]):
        raise HTTPException(status_code=401)
    message = aio_pika.Message(
        body=update.model_dump_json().encode(),
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    await request.app.state.channel.default_exchange.publish(message, routing_key=os.environ["BENCH_QUEUE"])
    return Response(status_code=200)
