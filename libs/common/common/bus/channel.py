"""One connection with one confirming channel, for publishing only: an asyncio.Protocol that writes a message in one
call.

aio-pika awaits each frame and costs 248 µs a publish; this costs a tenth (docs/performance.md), which is the
webhook's budget.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import cast

from pamqp import base, commands, exceptions, frame, header
from pamqp import heartbeat as heartbeats

from common.bus import wire
from common.errors import BrokerUnavailable, Unroutable

HEARTBEAT = 10  # seconds; the default of 60 notices a dead broker after 183 s (reliability A3)
_FRAME_MAX = 131_072


class Channel(asyncio.Protocol):
    """Confirms by delivery tag; whatever ends the connection fails every publish that waits."""

    def __init__(self, address: wire.Address, name: str) -> None:
        self._address = address
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._tag = 0
        self._unwritten: list[bytes] = []
        self._waiting: dict[int, tuple[str, asyncio.Future[None]]] = {}
        self._unroutable: set[str] = set()
        self._returning = False
        self._frame_max = _FRAME_MAX
        self._beat: asyncio.TimerHandle | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.closed = False
        self.blocked = False
        self.heard = time.time()  # wall clock: a frozen process's monotonic clock may have stood still

    @classmethod
    async def open(cls, address: wire.Address, name: str) -> Channel:
        """Connected, authenticated, in confirm mode; BrokerUnavailable otherwise."""
        context = ssl.create_default_context() if address.tls else None
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.create_connection(
                lambda: cls(address, name), address.host, address.port, ssl=context
            )
        except OSError as error:
            raise BrokerUnavailable(f"no connection to the broker: {type(error).__name__}") from None
        try:
            await protocol.ready
        except BaseException:
            protocol.abort("closed before it was ready")
            raise
        return protocol

    def publish(
        self, routing_key: str, body: bytes, *, message_id: str, kind: str, headers: Mapping[str, str | int]
    ) -> asyncio.Future[None]:
        """The future ends with the broker's confirm, Unroutable or BrokerUnavailable.

        `message_id` must be unique in flight: a return names its message by it alone (reliability A4).
        """
        if self.closed or self.blocked:
            raise BrokerUnavailable("the broker blocks publishers" if self.blocked else "the connection is closed")
        self._tag += 1
        confirmed: asyncio.Future[None] = self._loop.create_future()
        self._waiting[self._tag] = (message_id, confirmed)
        data = wire.publish_frames(
            routing_key,
            body,
            message_id=message_id,
            kind=kind,
            timestamp=int(time.time()),
            headers=headers,
            frame_max=self._frame_max,
        )
        if not self._unwritten:
            self._loop.call_soon(self._write)
        self._unwritten.append(data)
        return confirmed

    def _write(self) -> None:
        # A write to the socket costs as much as making a message: one for all webhooks that were read together.
        if not self.closed:
            self._transport.write(b"".join(self._unwritten))
        self._unwritten.clear()

    def abort(self, reason: str) -> None:
        """Ends it now; who waits gets BrokerUnavailable."""
        if not self.closed:
            self._fail(reason)
            self._transport.abort()

    async def close(self) -> None:
        """An orderly goodbye; the socket is closed whether or not the broker answers."""
        if not self.closed:
            self._transport.write(wire.command(commands.Connection.Close(200, "bye", 0, 0), 0))
            self._fail("closed by us")
            self._transport.close()

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
        buffer = self._buffer + data if self._buffer else data
        try:
            while buffer:
                consumed, _, received = frame.unmarshal(buffer)
                buffer = buffer[consumed:]
                self._handle(received)
        except exceptions.UnmarshalingException:
            if not wire.is_cut(buffer, self._frame_max):
                self.abort("unreadable answer from the broker")
        except Exception as error:  # noqa: BLE001 (what can't be read ends the connection, never the process)
            self.abort(f"unreadable answer from the broker ({type(error).__name__})")
        self._buffer = buffer

    # frames

    def _handle(self, received: object) -> None:  # noqa: C901, PLR0912 (one case a frame)
        match received:
            case commands.Basic.Ack():
                self._settle(int(received.delivery_tag or 0), multiple=bool(received.multiple))
            case commands.Basic.Nack():
                error = BrokerUnavailable("the broker refused the message")
                self._settle(int(received.delivery_tag or 0), multiple=bool(received.multiple), error=error)
            case commands.Basic.Return():
                self._returning = True
            case header.ContentHeader() if self._returning:
                self._unroutable.add(wire.returned_message_id(received))
                self._returning = False
            case heartbeats.Heartbeat():
                pass
            case commands.Connection.Start():
                self._send(wire.start_ok(self._address, self._name), 0)
            case commands.Connection.Tune():
                self._tuned(received)
            case commands.Connection.OpenOk():
                self._send(commands.Channel.Open(), 1)
            case commands.Channel.OpenOk():
                self._send(commands.Confirm.Select(), 1)
            case commands.Confirm.SelectOk():
                if not self.ready.done():
                    self.ready.set_result(None)
            case commands.Connection.Blocked():
                self.blocked = True
            case commands.Connection.Unblocked():
                self.blocked = False
            case commands.Connection.Close() | commands.Channel.Close():
                self.abort(f"the broker closed: {received.reply_code} {str(received.reply_text or '')[:60]}")
            case _:
                pass  # the body of a returned message, and what newer brokers may add

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

    def _settle(self, tag: int, *, multiple: bool, error: Exception | None = None) -> None:
        tags = [t for t in self._waiting if t <= tag] if multiple else [tag]
        for each in tags:
            message_id, confirmed = self._waiting.pop(each, ("", None))
            returned = message_id in self._unroutable
            self._unroutable.discard(message_id)
            if confirmed is None or confirmed.done():
                continue
            if error is None and returned:
                confirmed.set_exception(Unroutable())
            elif error is not None:
                confirmed.set_exception(error)
            else:
                confirmed.set_result(None)

    def _fail(self, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        if self._beat is not None:
            self._beat.cancel()
        if not self.ready.done():
            self.ready.set_exception(BrokerUnavailable(reason))
        for _, confirmed in self._waiting.values():
            if not confirmed.done():
                confirmed.set_exception(BrokerUnavailable(reason))
        self._waiting.clear()

    def _send(self, method: base.Frame, channel: int) -> None:
        self._transport.write(wire.command(method, channel))
