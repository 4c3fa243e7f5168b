"""Reads a request's body with a limit and a deadline: neither the framework nor the server has one by default
(reliability D1, D2).
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope

DEADLINE = 10.0  # seconds for the whole body


class BodyTooLarge(Exception):  # noqa: N818 (what it says)
    """Said or sent more than the limit."""


class BodyTooSlow(Exception):  # noqa: N818 (what it says)
    """Not there within the deadline."""


class ClientGone(Exception):  # noqa: N818 (what it says)
    """Nobody is left to answer."""


async def read_body(scope: Scope, receive: Receive, *, limit: int) -> bytes:
    """All of it, at most `limit` bytes; raises one of the three above."""
    said = next((value for key, value in scope["headers"] if key == b"content-length"), b"")
    if said.isdigit() and int(said) > limit:
        raise BodyTooLarge
    try:
        async with asyncio.timeout(DEADLINE):
            return await _all(receive, limit)
    except TimeoutError:
        raise BodyTooSlow from None


async def _all(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return b"".join(parts)
