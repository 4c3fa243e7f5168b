"""Whatever goes wrong becomes one body: RFC 9457's, with a code that never changes and the trace's id."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from common.errors import AppError, ConfigurationError, StoreUnavailable
from common.telemetry.redact import describe, frames
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingress.rules.refusals import places
from ingress.tracing import trace_id_of

MEDIA_TYPE = "application/problem+json"
_AGAIN = {"Retry-After": "5"}
_UNREADABLE: Mapping[type | None, str] = {  # what reading a body as JSON raises, besides its own errors
    UnicodeDecodeError: "the body is not UTF-8",
    RecursionError: "the body's JSON is too deep",
    ValueError: "the body's JSON has a number with too many digits",
}
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_log = logging.getLogger(__name__)


class JsonResponse(Response):
    """ASCII only: a client may send half a surrogate pair in a field's name, which UTF-8 can't carry back."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """As bytes."""
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def problem(scope: Scope, error: AppError) -> Response:
    """The answer to a request that failed with this error."""
    body = {
        "type": f"urn:muster:problem:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "trace_id": trace_id_of(scope),
        **error.fields,
    }
    return JsonResponse(body, error.status, headers=error.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """For every expected failure; surprises are `Surprises`' to answer."""
    for kind in (AppError, RequestValidationError, HTTPException, StoreUnavailable, ConfigurationError):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    found = understood(error)
    if found.status == HTTPStatus.METHOD_NOT_ALLOWED:  # the router names those of the first operation alone
        found.headers = {"Allow": ", ".join(_allowed(request))}
    return problem(request.scope, found)


def _allowed(request: Request) -> list[str]:
    routes = request.app.routes
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def understood(error: Exception) -> AppError:
    """As an AppError; 500 for what nobody expected, which is logged and of which the client learns nothing."""
    match error:
        case AppError():
            return error
        case RequestValidationError():
            return AppError(
                "invalid_request", 422, "the request is not valid", errors=places(error.errors(), error.body)
            )
        case HTTPException(status_code=413):  # the phrase is another one since Python 3.13, and a code never changes
            return AppError("content_too_large", 413, "the body is larger than 256 KiB")
        case HTTPException(status_code=status, headers=headers):
            word = HTTPStatus(status).phrase
            detail = _UNREADABLE.get(type(error.__cause__), word)
            return AppError(word.lower().replace(" ", "_"), status, detail, headers=_plain(headers))
        case StoreUnavailable():
            _log.warning("the database can't be reached", extra={"error": describe(error)})
            return AppError("unavailable", 503, "come back in a few seconds", headers=_AGAIN)
        case ConfigurationError():
            _log.error("the API can't work: %s", error)
            return AppError("unavailable", 503, "come back in a few seconds", headers=_AGAIN)
        case _:
            _log.error("surprise", extra={"error": describe(error), "where": frames(error.__traceback__)[-5:]})
            return AppError("internal_error", 500, "something went wrong; the trace_id helps to find out what")


class Surprises:
    """An exception that nobody expected is answered here, inside the span of its request and with its trace's id. So is
    a body that the framework finds too large by its header: it says so in plain text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Nothing can be done for an answer that has begun: then the connection ends with the exception."""
        started = replaced = False

        async def watched(message: Message) -> None:
            nonlocal started, replaced
            if not started and _is_plain_413(message):
                replaced = True
                await problem(scope, understood(HTTPException(413)))(scope, receive, send)
            started = True
            if not replaced:
                await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            await problem(scope, understood(error))(scope, receive, send)


def _is_plain_413(message: Message) -> bool:
    return message.get("status") == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not any(
        value == MEDIA_TYPE.encode() for _, value in message["headers"]
    )


def _plain(headers: Mapping[str, str] | None) -> dict[str, str]:
    return dict(headers or {})
