"""A peer that speaks AMQP's handshake as a broker does, and then says what the test wants: nacks, blocks, silence."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pamqp import base, commands, exceptions, frame
from pamqp import heartbeat as heartbeats
from pamqp.common import FieldTable

Answer = Callable[[int], Iterable[base.Frame]]


def acknowledge(tag: int) -> list[base.Frame]:
    """What a healthy broker says."""
    return [commands.Basic.Ack(tag)]


def _nothing(_: int) -> list[base.Frame]:
    return []


@dataclass
class AmqpPeer:
    """`on_publish` is given the delivery tag and returns what is said; `replies` adds to the handshake's answers."""

    on_publish: Answer = acknowledge
    replies: dict[type[base.Frame], base.Frame] = field(default_factory=dict)
    mute: set[type[base.Frame]] = field(default_factory=set)  # what is not answered
    heard: list[base.Frame] = field(default_factory=list)
    connections: int = 0
    heartbeats: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _serving: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"amqp://guest:guest@127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._serving)

    def of(self, kind: type[base.Frame]) -> list[base.Frame]:
        """What clients said of that kind, over all connections."""
        return [each for each in self.heard if isinstance(each, kind)]

    def be_silent(self) -> None:
        """Takes every publish and says nothing."""
        self.on_publish = _nothing

    def say(self, method: base.Frame, channel: int = 1) -> None:
        """Unasked, on the newest connection."""
        self.say_bytes(frame.marshal(method, channel))

    def say_bytes(self, data: bytes) -> None:
        """Whatever they mean."""
        self._writers[-1].write(data)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readexactly(8)
            capabilities: FieldTable = {"publisher_confirms": True, "basic.nack": True, "connection.blocked": True}
            self.say(commands.Connection.Start(0, 9, {"capabilities": capabilities}, "PLAIN", "en_US"), 0)
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer, tag = b"", 0
        while data := await reader.read(65_536):
            buffer += data
            with contextlib.suppress(exceptions.UnmarshalingException):
                while buffer:
                    consumed, channel, received = frame.unmarshal(buffer)
                    buffer = buffer[consumed:]
                    if isinstance(received, commands.Basic.Publish):
                        tag += 1
                        said = self.on_publish(tag)
                    else:
                        said = self._answer(received)
                    for each in said:
                        writer.write(frame.marshal(each, channel))
                    if isinstance(received, base.Frame):
                        self.heard.append(received)

    def _answer(self, received: object) -> Iterable[base.Frame]:
        self.heartbeats += isinstance(received, heartbeats.Heartbeat)
        for kind, reply in ({**_HANDSHAKE, **self.replies}).items():
            if isinstance(received, kind):
                return [] if kind in self.mute else [reply]
        return []


_HANDSHAKE: dict[type[base.Frame], base.Frame] = {
    commands.Connection.StartOk: commands.Connection.Tune(2047, 131_072, 60),
    commands.Connection.Open: commands.Connection.OpenOk(),
    commands.Connection.Close: commands.Connection.CloseOk(),
    commands.Channel.Open: commands.Channel.OpenOk(),
    commands.Channel.Close: commands.Channel.CloseOk(),
    commands.Confirm.Select: commands.Confirm.SelectOk(),
    commands.Basic.Qos: commands.Basic.QosOk(),
    commands.Basic.Cancel: commands.Basic.CancelOk("consumer"),
}
