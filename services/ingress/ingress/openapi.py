"""The webhook in the OpenAPI description: it is a plain ASGI callable, so FastAPI can't see it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

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


def describe_webhook(app: FastAPI) -> None:
    """Adds it to what FastAPI found by itself."""
    found = app.openapi

    def openapi() -> dict[str, Any]:
        schema = found()
        schema["paths"].setdefault(PATH, {"post": _OPERATION})
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the schema
