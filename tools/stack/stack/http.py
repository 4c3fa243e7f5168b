"""Plain HTTP to our own processes; no proxy of the environment comes between."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from stack.errors import StackError

TIMEOUT: Final = 10.0  # seconds
_OPENER: Final = build_opener(ProxyHandler({}))  # one for all: since Python 3.12 each reads the system's certificates


def status(url: str, *, headers: Mapping[str, str] | None = None) -> int:
    """The status of a GET; 0 where nobody answers."""
    request = Request(url, headers=dict(headers or {}))  # noqa: S310 (http only)
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except (OSError, HTTPException):
        return 0


def call(method: str, url: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Any:
    """JSON there and back; StackError for any answer that is none."""
    data = None if body is None else json.dumps(body).encode()
    all_headers = {"Content-Type": "application/json", **(headers or {})}
    request = Request(url, data=data, method=method, headers=all_headers)  # noqa: S310 (http only)
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as answer:
            return json.loads(answer.read())
    except HTTPError as error:
        raise StackError(
            f"{method} {url} was answered {error.code}: {error.read().decode(errors='replace')[:300]}"
        ) from None
    except (OSError, HTTPException, ValueError) as error:
        raise StackError(f"{method} {url} failed: {error}") from None
