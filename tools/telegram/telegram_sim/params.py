"""A request's parameters, whichever of the four ways they came (core.telegram.org/bots/api#making-requests)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from telegram_sim.errors import bad_request

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Upload:
    """A file that came inside a multipart request."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Params:
    """Values as sent: forms carry strings, JSON carries types; the readers below accept both."""

    values: Mapping[str, Any] = field(default_factory=dict)
    uploads: Mapping[str, Upload] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """True when the parameter was sent with anything but null."""
        return self.values.get(name) is not None or name in self.uploads

    def text(self, name: str) -> str:
        """The value as a string, empty when missing."""
        value = self.values.get(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def integer(self, name: str, default: int = 0) -> int:
        """The value as an integer; what is no number counts as 0, as in Telegram's reader."""
        value = self.values.get(name)
        if value is None or value == "":
            return default
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            return 0

    def flag(self, name: str) -> bool:
        """The value as a boolean: true, 1, yes in any case."""
        return self.text(name).strip().lower() in {"true", "1", "yes"}

    def structure(self, name: str) -> Any:
        """A JSON-serialised object or list, or None when missing."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from error

    def for_log(self) -> dict[str, Any]:
        """Values with a word about each upload in place of its bytes."""
        if not self.uploads:
            return dict(self.values)
        notes = {name: f"<{upload.filename}, {len(upload.content)} bytes>" for name, upload in self.uploads.items()}
        return {**self.values, **notes}


async def read_params(request: web.Request) -> Params:
    """Query string first, then the body on top of it."""
    values: dict[str, Any] = dict(request.query) if request.query_string else {}
    if request.method == "GET" or not request.body_exists:
        return Params(values)
    if request.content_type == "application/json":
        values.update(parse_json_body(await request.read()))
        return Params(values)
    if request.content_type == "multipart/form-data":
        return await read_multipart(request, values)
    if request.content_type == "application/x-www-form-urlencoded":
        values.update(await read_urlencoded(request))
    return Params(values)


async def read_urlencoded(request: web.Request) -> dict[str, Any]:
    """A form's fields."""
    try:
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    except (ValueError, LookupError) as error:
        raise bad_request("strings must be encoded in UTF-8") from error


def parse_json_body(body: bytes) -> dict[str, Any]:
    """The body as an object; an empty body means no parameters."""
    if not body.strip():
        return {}
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request("can't parse request body as JSON") from error
    if not isinstance(parsed, dict):
        raise bad_request("can't parse request body as JSON object")
    if SURROGATE.search(body):
        check_encodable(parsed)
    return parsed


def check_encodable(parsed: dict[str, Any]) -> None:
    """Half a surrogate pair is no text."""
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise bad_request("strings must be encoded in UTF-8") from error


async def read_multipart(request: web.Request, values: dict[str, Any]) -> Params:
    """Parts with a file name are uploads, all others are values."""
    uploads: dict[str, Upload] = {}
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            content = bytes(await part.read(decode=True))
            if part.filename is None:
                values[part.name] = content.decode()
            else:
                kind = part.headers.get("Content-Type", "application/octet-stream")
                uploads[part.name] = Upload(part.filename, kind, content)
    except (ValueError, HttpProcessingError) as error:
        raise bad_request("can't parse multipart request") from error
    return Params(values, uploads)
