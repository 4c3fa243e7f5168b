"""`Idempotency-Key` as Stripe defines it: the first answer is kept for a day and given again, whatever it was.

Effect and answer are one transaction: after a kill in the middle there is neither, and the next try begins anew.
Nothing is kept of a request that is not valid, or that meets another under the same key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from common.errors import AppError, MusterError
from common.store import idempotency
from common.store.idempotency import Result
from common.store.pool import Tx
from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from ingress.auth import Caller
from ingress.backend import Backend
from ingress.deps import backend_of
from ingress.problems import problem, understood
from ingress.rules import shapes

Effect = Callable[[Tx], Awaitable[BaseModel]]
_KEY = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=shapes.ONCE,
        description="Any text of your own, the same for each try of one request: its effect happens once, and each "
        "try gets the first one's answer, for at least 24 hours.",
    ),
]


class Once:
    """One request that changes something."""

    def __init__(self, request: Request, backend: Backend, key: str | None) -> None:
        self._request = request
        self._backend = backend
        self._key = key

    async def before(self, caller: Caller, *, body: BaseModel | None = None) -> Response | None:
        """The first time's answer, for who must do something slow before `run`; None where this is the first time."""
        if self._key is None:
            return None
        asked = self._asked(caller, self._key, body)
        async with self._backend.pool.transaction("asked before") as tx:
            found = await idempotency.find(tx, asked)
        return _again(found, asked) if found is not None else None

    async def run(
        self, caller: Caller, effect: Effect, *, body: BaseModel | None = None, status: int = 200
    ) -> Response:
        """The effect's answer or its problem, now or from the first time."""
        name = self._request.scope["route"].name
        if self._key is None:
            async with self._backend.pool.transaction(name) as tx:
                return _response(await effect(tx), status)
        asked = self._asked(caller, self._key, body)
        try:
            return await self._attempt(asked, effect, status)
        except MusterError:
            raise
        except Exception as error:  # noqa: BLE001 (Stripe keeps a 500 as well)
            answer = problem(self._request.scope, understood(error))
            async with self._backend.pool.transaction("keep surprise") as tx:
                if await idempotency.enter(tx, asked) and await idempotency.find(tx, asked) is None:
                    await idempotency.save(tx, asked, _kept(answer))
            return answer

    async def _attempt(self, asked: idempotency.Request, effect: Effect, status: int) -> Response:
        async with self._backend.pool.transaction(self._request.scope["route"].name) as tx:
            if not await idempotency.enter(tx, asked):
                raise AppError("idempotency_in_progress", 409, "another request with this Idempotency-Key is under way")
            found = await idempotency.find(tx, asked)
            if found is not None:
                return _again(found, asked)
            answer = await self._first(tx, effect, status)
            await idempotency.save(tx, asked, _kept(answer))
            return answer

    async def _first(self, tx: Tx, effect: Effect, status: int) -> Response:
        try:
            async with tx.transaction():  # a savepoint: what a refusal has written goes, its answer stays
                return _response(await effect(tx), status)
        except AppError as error:
            return problem(self._request.scope, error)

    def _asked(self, caller: Caller, key: str, body: BaseModel | None) -> idempotency.Request:
        request = self._request
        text = request.url.query + (body.model_dump_json() if body else "")
        digest = hashlib.sha256(text.encode()).digest()
        return idempotency.Request(caller.owner, f"{request.method} {request.url.path}", key, digest)


def once(request: Request, backend: Annotated[Backend, Depends(backend_of)], key: _KEY = None) -> Once:
    """FastAPI dependency."""
    return Once(request, backend, key)


def _response(model: BaseModel, status: int) -> Response:
    return Response(model.model_dump_json(), status, media_type="application/json")


def _again(found: tuple[bytes, Result], asked: idempotency.Request) -> Response:
    body_hash, result = found
    if body_hash != asked.body_hash:
        raise AppError("idempotency_key_reused", 422, "this Idempotency-Key was used for another request")
    headers = {**result.headers, "Idempotent-Replayed": "true"}
    return Response(result.body, result.status, headers=headers)


def _kept(answer: Response) -> Result:
    headers = {name: value for name, value in answer.headers.items() if name in {"content-type", "retry-after"}}
    return Result(answer.status_code, headers, bytes(answer.body))
