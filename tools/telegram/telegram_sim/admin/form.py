"""Reading the admin API's JSON, with an error that names the field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from telegram_sim.errors import AdminError


class Form:
    """A JSON object or a query string with checked readers."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def has(self, name: str) -> bool:
        """True when the field was sent with anything but null."""
        return self.values.get(name) is not None

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer; without a default the field is required."""
        value = self.values.get(name, default)
        if value is None:
            raise AdminError(f"{name} is required")
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise AdminError(f"{name} must be an integer") from error

    def maybe_integer(self, name: str) -> int | None:
        """An integer or None."""
        return self.integer(name) if self.has(name) and self.values[name] != "" else None

    def number(self, name: str, default: float) -> float:
        """A number of any kind."""
        try:
            return float(self.values.get(name, default))
        except (TypeError, ValueError) as error:
            raise AdminError(f"{name} must be a number") from error

    def text(self, name: str, default: str | None = None) -> str:
        """A string; without a default the field is required."""
        value = self.values.get(name, default)
        if value is None:
            raise AdminError(f"{name} is required")
        if not isinstance(value, str):
            raise AdminError(f"{name} must be a string")
        return value

    def maybe_text(self, name: str) -> str | None:
        """A string or None."""
        return self.text(name) if self.has(name) else None

    def flag(self, name: str) -> bool:
        """True when the field is true."""
        return self.values.get(name) in (True, "true", "1")

    def items(self, name: str) -> list[Any]:
        """A list, empty when missing."""
        value = self.values.get(name) or []
        if not isinstance(value, list):
            raise AdminError(f"{name} must be a list")
        return value


async def read_form(request: web.Request) -> Form:
    """The body for writes, the query string for reads."""
    if request.method in {"GET", "DELETE"}:
        return Form(dict(request.query))
    raw = await request.read()
    try:
        values = json.loads(raw) if raw.strip() else {}
    except ValueError as error:
        raise AdminError("the body must be JSON") from error
    if not isinstance(values, dict):
        raise AdminError("the body must be a JSON object")
    return Form(values)
