"""Who asks: an API key, in the Authorization header and nowhere else.

Nothing is cached: a revoked key is dead at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from common.api_key import ApiKey, grants
from common.errors import AppError
from common.key_changes import Actor
from common.store import api_keys
from common.store.audit import Entry
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from ingress.backend import Backend
from ingress.deps import backend_of
from ingress.tracing import trace_id_of

_bearer = HTTPBearer(
    auto_error=False, scheme_name="ApiKey", bearerFormat="mst_…", description="`python -m common key new` makes one."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A live key with the scope that the operation asks for; `bot_ids` None is every bot."""

    env: str
    owner: str
    scopes: list[str]
    bot_ids: list[int] | None
    ip: str | None
    trace_id: str

    @property
    def actor(self) -> Actor:
        """For changes that keep their own audit rows."""
        return Actor(f"key:{self.owner}", self.bot_ids, self.ip, self.trace_id)

    def entry(
        self,
        action: str,
        thing: str,
        *,
        before: dict[str, object] | None = None,
        after: dict[str, object] | None = None,
        bot_ids: list[int] | None = None,
    ) -> Entry:
        """An audit row of this caller."""
        return Entry(f"key:{self.owner}", action, thing, before, after, bot_ids, self.ip, self.trace_id)

    def reaches(self, bot_id: int) -> bool:
        """Whether that bot's things exist for this caller."""
        return self.bot_ids is None or bot_id in self.bot_ids


async def authorized(
    request: Request,
    scopes: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    backend: Annotated[Backend, Depends(backend_of)],
) -> Caller:
    """AppError 401, 403 or 429. A transaction of its own: the bucket's row is not held while the request works."""
    key = ApiKey.parse(credentials.credentials) if credentials else None
    if key is None:
        raise _unknown()
    async with backend.pool.transaction("admit") as tx:
        admission = await api_keys.admit(tx, key)
    if admission is None:
        raise _unknown()
    if admission.wait:
        seconds = max(1, math.ceil(admission.wait.total_seconds()))
        raise AppError(
            "rate_limited", 429, "this key asks too often", headers={"Retry-After": str(seconds)}, retry_after=seconds
        )
    found = admission.key
    for scope in scopes.scopes:
        if not grants(found.scopes, scope):
            raise AppError("missing_scope", 403, f"the key lacks the scope {scope}", scope=scope)
    ip = request.client.host if request.client else None
    return Caller(key.env, found.owner, found.scopes, found.bot_ids, ip, trace_id_of(request.scope))


def _unknown() -> AppError:
    """The same for a missing, a malformed, an unknown, an expired and a revoked key."""
    headers = {"WWW-Authenticate": 'Bearer realm="muster"'}
    return AppError("unauthorized", 401, "give a valid API key as `Authorization: Bearer mst_…`", headers=headers)
