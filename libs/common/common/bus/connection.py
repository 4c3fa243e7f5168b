"""One connection with one channel on it: an asyncio.Protocol that says hello, beats, and writes in one call what one
turn of the loop has to say. What the channel is for, a subclass says.

aio-pika awaits each frame: 248 µs a publish and as much a message taken (docs/performance.md). This costs a tenth.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from abc import ABC, abstractmethod
from typing import Self, cast

from pamqp import base, commands, frame
from pamqp import heartbeat as heartbeats

from common.bus import wire
from common.errors import BrokerUnavailable

HEARTBEAT = 10  # seconds; the default of 60 notices a dead broker after 183 s (reliability A3)
STEP = 5.0  # seconds for one answer of the broker
_FRAME_MAX = 131_072


class Connection(asyncio.Protocol, ABC):
    """Whatever ends it fails all that wait for something; it is never used again."""

    def __init__(self, address: wire.Address, name: str) -> None:
        self._address = address
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._unwritten: list[bytes] = []
        self._flushing = False
        self._frame_max = _FRAME_MAX
        self._beat: asyncio.TimerHandle | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.closed = False
        self.heard = time.time()  # wall clock: a frozen process's monotonic clock may have stood still

    async def connected(self) -> Self:
        """Authenticated, its channel open and as it is to be; BrokerUnavailable otherwise."""
        context = ssl.create_default_context() if self._address.tls else None
        try:
            await self._loop.create_connection(lambda: self, self._address.host, self._address.port, ssl=context)
        except OSError as error:
            raise BrokerUnavailable(f"no connection to the broker: {type(error).__name__}") from None
        try:
            await self.ready
        except BaseException:
            self.abort("closed before it was ready")
            raise
        return self

    def abort(self, reason: str) -> None:
        """Ends it now; who waits gets BrokerUnavailable."""
        if not self.closed:
            self._fail(reason)
            self._transport.abort()

    async def close(self) -> None:
        """An orderly goodbye; the socket is closed whether or not the broker answers."""
        if not self.closed:
            self._flush()
            self._transport.write(wire.command(commands.Connection.Close(200, "bye", 0, 0), 0))
            self._fail("closed by us")
            self._transport.close()

    # what the channel is for

    @abstractmethod
    def _opened(self) -> None:
        """The channel is open: asks for what makes it `ready`."""

    @abstractmethod
    def _handle(self, received: object) -> None:
        """Something that the connection itself does not know."""

    @abstractmethod
    def _ended(self, reason: str) -> None:
        """Tells those who wait."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greets."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(wire.PROTOCOL_HEADER)

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer or the network ended it."""
        self._fail(f"the connection was lost ({type(exc).__name__ if exc else 'closed by the broker'})")

    def data_received(self, data: bytes) -> None:
        """Any number of frames, the last one perhaps cut."""
        self.heard = time.time()
        buffer, at = self._buffer + data if self._buffer else data, 0
        try:
            while not self.closed and (end := wire.end_of_frame(buffer, at, self._frame_max)):
                self._take(buffer[at:end])
                at = end
        except Exception as error:  # noqa: BLE001 (what can't be read ends the connection, never the process)
            self.abort(f"unreadable answer from the broker ({type(error).__name__})")
        self._buffer = buffer[at:]

    # frames

    def _take(self, data: bytes) -> None:
        """One frame, whole."""
        received = frame.unmarshal(data)[2]
        match received:
            case heartbeats.Heartbeat():
                pass
            case commands.Connection.Start():
                self._send(wire.start_ok(self._address, self._name), 0)
            case commands.Connection.Tune():
                self._tuned(received)
            case commands.Connection.OpenOk():
                self._send(commands.Channel.Open(), 1)
            case commands.Channel.OpenOk():
                self._opened()
            case commands.Connection.Close() | commands.Channel.Close():
                self.abort(f"the broker closed: {received.reply_code} {str(received.reply_text or '')[:60]}")
            case _:
                self._handle(received)

    def _tuned(self, tune: commands.Connection.Tune) -> None:
        self._frame_max = min(tune.frame_max or _FRAME_MAX, _FRAME_MAX)
        self._send(commands.Connection.TuneOk(1, self._frame_max, HEARTBEAT), 0)
        self._send(commands.Connection.Open(self._address.vhost), 0)
        self._beat = self._loop.call_later(HEARTBEAT / 2, self._on_beat)

    def _on_beat(self) -> None:
        if time.time() - self.heard > 2 * HEARTBEAT:
            self.abort("the broker is silent")
            return
        self._transport.write(frame.marshal(heartbeats.Heartbeat(), 0))
        self._beat = self._loop.call_later(HEARTBEAT / 2, self._on_beat)

    def _send(self, method: base.Frame, channel: int = 1) -> None:
        self._transport.write(wire.command(method, channel))

    def _write_soon(self, data: bytes) -> None:
        self._unwritten.append(data)
        self._flush_soon()

    def _flush_soon(self) -> None:
        # A write to the socket costs as much as making a message: one for all that a turn of the loop brings.
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._unwritten and not self.closed:
            self._transport.write(b"".join(self._unwritten))
        self._unwritten.clear()

    def _fail(self, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        if self._beat is not None:
            self._beat.cancel()
        if not self.ready.done():
            self.ready.set_exception(BrokerUnavailable(reason))
        self._ended(reason)
