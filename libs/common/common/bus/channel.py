"""A connection for publishing: every message confirmed by its delivery tag."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from pamqp import commands, header

from common.bus import wire
from common.bus.connection import Connection
from common.errors import BrokerUnavailable, Unroutable


class Channel(Connection):
    """Whatever ends the connection fails every publish that waits."""

    def __init__(self, address: wire.Address, name: str) -> None:
        super().__init__(address, name)
        self._tag = 0
        self._waiting: dict[int, tuple[str, asyncio.Future[None]]] = {}
        self._unroutable: set[str] = set()
        self._returning = False
        self.blocked = False

    @classmethod
    async def open(cls, address: wire.Address, name: str) -> Channel:
        """Connected, authenticated, in confirm mode; BrokerUnavailable otherwise."""
        return await cls(address, name).connected()

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
        self._write_soon(data)
        return confirmed

    def _opened(self) -> None:
        self._send(commands.Confirm.Select())

    def _handle(self, received: object) -> None:
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
            case commands.Confirm.SelectOk():
                if not self.ready.done():
                    self.ready.set_result(None)
            case commands.Connection.Blocked():
                self.blocked = True
            case commands.Connection.Unblocked():
                self.blocked = False
            case _:
                pass  # the body of a returned message, and what newer brokers may add

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

    def _ended(self, reason: str) -> None:
        for _, confirmed in self._waiting.values():
            if not confirmed.done():
                confirmed.set_exception(BrokerUnavailable(reason))
        self._waiting.clear()
