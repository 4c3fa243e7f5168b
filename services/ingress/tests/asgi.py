"""One HTTP request to an ASGI application, with a body that may come in parts, slowly, or not to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass
class Answer:
    """`started` is False where nobody was answered."""

    started: bool = False
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


CUT: Message = {"type": "http.disconnect"}


async def request(
    app: ASGIApp,
    path: str,
    *,
    method: str = "POST",
    headers: Mapping[str, str | bytes] | None = None,
    body: bytes = b"",
) -> Answer:
    """A whole body at once."""
    length = {"content-length": str(len(body))}
    return await stream(app, path, [body], method=method, headers=length | dict(headers or {}))


async def stream(
    app: ASGIApp,
    path: str,
    parts: Iterable[bytes | Message],
    *,
    method: str = "POST",
    headers: Mapping[str, str | bytes] | None = None,
    ends: bool = True,
) -> Answer:
    """The body in parts; after the last of one that does not end the client keeps silent."""
    answer, messages = Answer(), list(_messages(list(parts), ends=ends))

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.started, answer.status = True, message["status"]
            answer.headers = {key.decode(): value.decode() for key, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    await app(_scope(path, method, headers or {}), receive, send)
    return answer


def _messages(parts: list[bytes | Message], *, ends: bool) -> Iterable[Message]:
    for number, part in enumerate(parts, start=1):
        if isinstance(part, bytes):
            yield {"type": "http.request", "body": part, "more_body": number < len(parts) or not ends}
        else:
            yield part


def _scope(path: str, method: str, headers: Mapping[str, str | bytes]) -> dict[str, Any]:
    pairs = [(k.lower().encode(), v if isinstance(v, bytes) else v.encode()) for k, v in headers.items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": pairs,
        "client": ("127.0.0.1", 1),
        "server": ("muster.example", 443),
        "state": {},
    }


class alive:  # noqa: N801 (used as a function)
    """The application's lifespan around a block; raises what startup or shutdown report."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __aenter__(self) -> None:

        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._task = asyncio.create_task(self._run(scope))
        await self._say("startup")

    async def __aexit__(self, *_: object) -> None:
        await self._say("shutdown")
        await self._task

    async def _run(self, scope: dict[str, Any]) -> None:
        await self._app(scope, self._to_app.get, self._from_app.put)

    async def _say(self, word: str) -> None:
        await self._to_app.put({"type": f"lifespan.{word}"})
        answer = await self._from_app.get()
        assert answer["type"] == f"lifespan.{word}.complete", answer
