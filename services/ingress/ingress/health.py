"""/livez: the process answers. /readyz: broker and database do too."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from common.errors import MusterError
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from ingress.backend import Backend
from ingress.deps import backend_of

router = APIRouter(tags=["health"])


class Live(BaseModel):
    """Always `ok`."""

    status: str = "ok"


class Ready(BaseModel):
    """`ok`, or what is wrong, for each part."""

    broker: str
    database: str


@router.get("/livez")
async def livez() -> Live:
    """The process answers."""
    return Live()


@router.get("/readyz", responses={503: {"model": Ready, "description": "A part is not reachable."}})
async def readyz(backend: Annotated[Backend, Depends(backend_of)], response: Response) -> Ready:
    """Broker and database answer too. A webhook may succeed without one of them."""
    broker, database = await asyncio.gather(_try(backend, "publisher"), _try(backend, "pool"))
    if (broker, database) != ("ok", "ok"):
        response.status_code = 503
    return Ready(broker=broker, database=database)


async def _try(backend: Backend, part: Literal["publisher", "pool"]) -> str:
    try:
        async with asyncio.timeout(2):
            await getattr(backend, part).ping()  # looked up inside: its settings may be missing
    except (MusterError, TimeoutError) as error:
        return type(error).__name__
    return "ok"
