"""What FastAPI can't see of the API: the webhook, a plain ASGI callable; which answers are problems; the glossary."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from ingress.glossary import MEANINGS
from ingress.webhook import PATH

_EXAMPLE = {
    "update_id": 10001,
    "message": {
        "message_id": 1,
        "date": 1767225600,
        "chat": {"id": 42, "type": "private", "first_name": "Ada"},
        "from": {"id": 42, "is_bot": False, "first_name": "Ada"},
        "text": "/start",
    },
}
_OPERATION: dict[str, Any] = {
    "tags": ["webhooks"],
    "summary": "Telegram's webhook, one for every bot",
    "description": "The secret names and proves the bot. 200 comes only after the update is durable.",
    "operationId": "telegram_webhook",
    "parameters": [
        {
            "name": "X-Telegram-Bot-Api-Secret-Token",
            "in": "header",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[A-Za-z0-9_-]+$"},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object", "additionalProperties": True}, "example": _EXAMPLE}
        },
    },
    "responses": {
        "200": {"description": "Durable: published and confirmed, in the outbox, or kept in quarantine."},
        "401": {"description": "The secret proves no bot."},
        "405": {"description": "Only POST."},
        "408": {"description": "The body did not arrive in time."},
        "413": {"description": "The body is larger than 1 MiB."},
        "503": {
            "description": "Neither broker nor database can be reached, or too many requests at once: come back.",
            "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
        },
    },
}


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. `code` never changes and is what to match on; docs/problems.md lists them all. Some "
    "problems have further fields.",
    "required": ["type", "title", "status", "detail", "code", "trace_id"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:muster:problem:invalid_request"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "examples": ["invalid_request"]},
        "trace_id": {"type": "string", "description": "As in X-Trace-Id: give it to whoever is to find out more."},
        "errors": {
            "type": "array",
            "description": "Where the request is not valid, and what is wrong there.",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("in", "at", "what")},
                "required": ["in", "at", "what"],
            },
        },
    },
    "additionalProperties": True,
}
_ALWAYS = {
    401: "No valid API key.",
    403: "The key lacks the scope.",
    422: "Not valid, or not possible with what is there.",
    429: "The key asks too often: come back after Retry-After seconds.",
    500: "Something went wrong.",
    503: "The database can't be reached: come back after Retry-After seconds.",
}
_WITH_BODY = {400: "The body can't be read.", 413: "The body is larger than 256 KiB."}
_WITH_FILE = {
    400: "The body is no form with one file.",
    408: "The file did not arrive in time.",
    413: "The file is larger than 50 MiB, or than what the platform takes.",
}
_TRACE = {"schema": {"type": "string"}, "description": "The trace of this request."}
_RETRY = {"schema": {"type": "integer"}, "description": "Seconds."}


def describe(app: FastAPI) -> None:
    """Adds all of it to what FastAPI found by itself."""
    found = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = found()
        for path, item in schema["paths"].items():
            for method, operation in item.items():
                if "security" in operation:
                    _add_problems(path, method, operation)
        schema["paths"][PATH] = {"post": _OPERATION}
        schemas = schema["components"]["schemas"]
        schemas["Problem"] = _PROBLEM
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        _add_meanings(schemas)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the schema


def _add_meanings(schemas: dict[str, Any]) -> None:
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            meaning = MEANINGS.get(f"{name}.{field}") or MEANINGS.get(field)
            if meaning is not None:
                described.setdefault("description", meaning)


def _add_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    kinds = dict(_ALWAYS)
    if "{" in path:
        kinds[404] = "There is none, or the key may not see it."
    if method == "post" or any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ())):
        kinds[409] = "Not in this state, or another request with this Idempotency-Key is under way."
    if "requestBody" in operation:
        kinds |= _WITH_FILE if "multipart/form-data" in operation["requestBody"]["content"] else _WITH_BODY
    for answer in operation["responses"].values():
        answer["headers"] = {"X-Trace-Id": _TRACE}
    for status, description in kinds.items():
        headers = {"X-Trace-Id": _TRACE} | ({"Retry-After": _RETRY} if status in {429, 503} else {})
        content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        operation["responses"][str(status)] = {"description": description, "headers": headers, "content": content}
