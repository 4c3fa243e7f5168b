"""A TCP proxy on loopback that misbehaves on command: the network's faults, without privileges."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

Direction = Literal["up", "down"]  # client to server, server to client
_RST = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: the next close sends a reset


@dataclass(eq=False)
class Link:
    """One client's connection and its counterpart."""

    sides: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    sent_up: int = 0
    lost: bool = False

    def end(self, *, reset: bool) -> None:
        """Both sides at once: with a reset, or as an orderly close that drops what was not written."""
        for side in self.sides:
            sock = side.get_extra_info("socket")
            if reset and sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            side.transport.abort() if reset else side.close()


@dataclass
class TcpProxy:
    """Use as a context manager; faults act on open connections at once and on new ones until they are undone."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None  # what clients see; the server behind is spoken to plainly
    refuse: bool = False  # new connections are reset
    delay: float = 0.0  # seconds that each chunk is held
    cut_up_after: int | None = None  # bytes of a connection from its client; the next one resets it
    accepted: int = 0
    _links: set[Link] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _open: dict[Direction, asyncio.Event] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self._open = {"up": asyncio.Event(), "down": asyncio.Event()}
        self.heal()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.tls)
        self.own_port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.heal()
        self.reset()
        await asyncio.gather(*self._tasks)

    @classmethod
    def before(cls, url: str, *, tls: ssl.SSLContext | None = None) -> Self:
        """In front of the server that the URL names."""
        parts = urlsplit(url)
        return cls(parts.hostname or "127.0.0.1", parts.port or {"amqp": 5672}.get(parts.scheme, 5432), tls)

    def through(self, url: str, *, host: str = "127.0.0.1") -> str:
        """The same URL, by way of the proxy."""
        parts = urlsplit(url)
        credentials = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return urlunsplit(parts._replace(netloc=f"{credentials}{host}:{self.own_port}"))

    def cut(self) -> None:
        """Closes every connection."""
        self._end(reset=False)

    def reset(self) -> None:
        """Ends every connection with RST."""
        self._end(reset=True)

    def freeze(self, *directions: Direction) -> None:
        """A partition: bytes that way are held, connections stay open; both ways where none is named."""
        for direction in directions or ("up", "down"):
            self._open[direction].clear()

    def lose(self) -> None:
        """A firewall forgets the connections that are open: nothing comes through them any more; new ones work."""
        for link in self._links:
            link.lost = True

    def heal(self) -> None:
        """Undoes every fault but that; what a partition held arrives now, as TCP would have it."""
        self.refuse, self.delay, self.cut_up_after = False, 0.0, None
        for gate in self._open.values():
            gate.set()

    @property
    def connections(self) -> int:
        """Open ones."""
        return len(self._links)

    def _end(self, *, reset: bool) -> None:
        for link in list(self._links):
            link.end(reset=reset)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            if self.refuse:
                raise ConnectionError
            there_reader, there_writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            Link((writer, writer)).end(reset=True)
            return
        link = Link((writer, there_writer))
        self._links.add(link)
        pumps = [
            asyncio.create_task(self._pump(link, "up", reader, there_writer)),
            asyncio.create_task(self._pump(link, "down", there_reader, writer)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        link.end(reset=False)
        self._links.discard(link)

    async def _pump(
        self, link: Link, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._open[direction].wait()
                if link.lost:
                    continue
                passed = self._passing(link, direction, data)
                writer.write(passed)
                await writer.drain()
                if len(passed) < len(data):
                    link.end(reset=True)
                    return

    def _passing(self, link: Link, direction: Direction, data: bytes) -> bytes:
        if direction == "down" or self.cut_up_after is None:
            return data
        left = max(0, self.cut_up_after - link.sent_up)
        link.sent_up += len(data)
        return data[:left]
