"""A raw HTTP server that answers with any bytes, or cuts, resets, hangs: what a Bot API server may do on a bad day."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from pydantic_core import from_json, to_json

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answering(status: int, body: bytes, **headers: str) -> Act:
    """An HTTP answer; underscores in header names stand for dashes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return saying("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def succeeding(result: Any) -> Act:
    """`ok: true`."""
    return answering(200, to_json({"ok": True, "result": result}), Content_Type="application/json")


def saying(data: bytes, *, then_cut: bool = False) -> Act:
    """Any bytes."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if then_cut:
            writer.close()

    return act


async def hanging_up(writer: asyncio.StreamWriter) -> None:
    """Closes without a word."""
    writer.close()


async def resetting(writer: asyncio.StreamWriter) -> None:
    """Ends with RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def saying_nothing(_: asyncio.StreamWriter) -> None:
    """Leaves the caller waiting."""


@dataclass
class HttpPeer:
    """Does the next of `acts` to each request, and the last one again and again; `requests` are (path, body): JSON, or
    the bytes of a form.
    """

    acts: list[Act] = field(default_factory=lambda: [succeeding(True)])
    requests: list[tuple[str, Any]] = field(default_factory=list)
    connections: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _serving: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._serving)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        self._serving.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int((re.search(r"content-length: *(\d+)", head, re.IGNORECASE) or [0, 0])[1])
                body = await reader.readexactly(length)
                is_form = "multipart/form-data" in head
                self.requests.append((head.split()[1], body if is_form else from_json(body) if body else None))
                act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
                await act(writer)
