"""A query parameter that an operation does not have is refused: a misspelled filter would let everything through."""

from __future__ import annotations

from common.errors import AppError
from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute


async def known(request: Request) -> None:
    """A dependency of every operation; AppError 422 naming those that are none."""
    if not request.query_params or "authorization" not in request.headers:
        return  # who shows no key is told of that alone
    names = _names(request.scope["route"])
    if strange := sorted(set(request.query_params) - names):
        what = f"is no parameter here; there are {', '.join(sorted(names))}" if names else "is no parameter here"
        places = [{"in": "query", "at": name[:64], "what": what} for name in strange[:20]]
        raise AppError("invalid_request", 422, "the request is not valid", errors=places)


def _names(route: APIRoute) -> set[str]:
    return {field.alias for field in get_flat_params(route.dependant) if isinstance(field.field_info, Query)}
