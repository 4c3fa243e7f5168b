"""What endpoints are given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, TypeAlias

from common.store import pool
from fastapi import Depends, Request

from ingress.backend import Backend


def backend_of(request: Request) -> Backend:
    """The instance's own."""
    backend: Backend = request.app.state.backend
    return backend


async def transaction(request: Request, backend: Annotated[Backend, Depends(backend_of)]) -> AsyncIterator[pool.Tx]:
    """Committed before the answer leaves, rolled back where the endpoint raises."""
    name = request.scope["route"].name
    async with backend.pool.transaction(name) as tx:
        yield tx


Tx: TypeAlias = Annotated[pool.Tx, Depends(transaction, scope="function")]
