"""A connection for consuming one queue: messages come by a callback, and many are acknowledged with one frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from pamqp import base, commands

from common.bus import wire
from common.bus.connection import STEP, Connection
from common.errors import BrokerUnavailable

AnswerT = TypeVar("AnswerT", bound=base.Frame)


@dataclass(frozen=True, slots=True)
class Message:
    """As the broker gave it out; `tag` names it on its own connection alone."""

    tag: int
    body: bytes = field(repr=False)
    message_id: str | None
    type: str | None
    headers: Mapping[str, Any]


class Subscription(Connection):
    """`arrived` is called for each message and must not raise: it only hands over (reliability A1)."""

    def __init__(
        self,
        address: wire.Address,
        queue: str,
        arrived: Callable[[Subscription, Message], None],
        *,
        prefetch: int,
    ) -> None:
        super().__init__(address, f"muster {queue}")
        self._queue = queue
        self._arrived = arrived
        self._prefetch = prefetch
        self._answers: dict[type[object], asyncio.Future[Any]] = {}
        self._consumer = ""
        self._tag = self._missing = 0  # of the message that is arriving: its tag, bytes that are still to come
        self._properties = wire.Properties()
        self._pieces: list[bytes] = []
        self._open: dict[int, None] = {}  # tags that are not settled, the oldest first
        self._done: set[int] = set()  # those of them that the next flush acknowledges
        self.lost = asyncio.Event()

    async def begin(self) -> None:
        """Connects and consumes; BrokerUnavailable also where there is no such queue."""
        try:
            async with asyncio.timeout(STEP):
                await self.connected()
        except TimeoutError:
            raise BrokerUnavailable("no connection in time") from None
        try:
            await self._ask(commands.Basic.Qos(prefetch_count=self._prefetch), commands.Basic.QosOk)
            consuming = await self._ask(commands.Basic.Consume(queue=self._queue), commands.Basic.ConsumeOk)
        except BaseException:
            self.abort("closed before it consumed")
            raise
        self._consumer = str(consuming.consumer_tag)

    async def end(self) -> None:
        """Nothing more arrives; what has arrived can still be settled."""
        await self._ask(commands.Basic.Cancel(self._consumer), commands.Basic.CancelOk)

    async def waiting(self) -> int:
        """How many messages are in the queue for whoever takes them."""
        declare = commands.Queue.Declare(queue=self._queue, passive=True)
        return (await self._ask(declare, commands.Queue.DeclareOk)).message_count or 0

    async def close(self) -> None:
        """An orderly goodbye: the broker has heard of all that was settled before it."""
        try:
            if not self.closed:
                self._flush()
                await self._ask(commands.Connection.Close(200, "bye", 0, 0), commands.Connection.CloseOk, channel=0)
        except BrokerUnavailable:
            pass  # what it did not hear, it gives out again
        finally:
            self.abort("closed by us")

    def ack(self, tag: int) -> None:
        """It is done, and gone with the end of this turn of the loop."""
        if tag in self._open:
            self._done.add(tag)
            self._flush_soon()

    def give_back(self, tag: int) -> None:
        """It is another consumer's, at once."""
        if tag in self._open:
            del self._open[tag]
            self._write_soon(wire.nack(tag))

    def _opened(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def _take(self, data: bytes) -> None:
        kind = data[0]
        if kind == wire.METHOD and data.startswith(wire.DELIVER, 7):
            self._tag = wire.delivery_tag(data)
        elif kind == wire.HEADER:
            self._missing, self._properties = wire.content_header(data)
            self._pieces.clear()
            self._arrive()
        elif kind == wire.BODY:
            self._pieces.append(data[7:-1])
            self._missing -= len(data) - 8
            self._arrive()
        else:
            super()._take(data)

    def _arrive(self) -> None:
        if self._missing > 0:
            return
        self._open[self._tag] = None
        message_id, kind, headers = self._properties
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._arrived(self, Message(self._tag, body, message_id, kind, headers))

    def _handle(self, received: object) -> None:
        if isinstance(received, commands.Basic.Cancel):
            self.abort("the broker ended the consumer: its queue is gone or moves")
        answer = self._answers.pop(type(received), None)
        if answer is not None and not answer.done():
            answer.set_result(received)

    def _flush(self) -> None:
        if self._done:
            # Behind all that was given back: an ack of many passes over what is settled already.
            self._unwritten.append(self._acks())
        super()._flush()

    def _acks(self) -> bytes:
        """One frame for the oldest that are done, one for each behind a message that is still at work."""
        last, done = 0, self._done
        for tag in self._open:
            if tag not in done:
                break
            last = tag
        frames = [wire.ack(last, multiple=True)] if last else []
        frames += [wire.ack(tag) for tag in done if tag > last]
        for tag in done:
            del self._open[tag]
        done.clear()
        return b"".join(frames)

    def _ended(self, reason: str) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(BrokerUnavailable(reason))
        self._answers.clear()
        self.lost.set()

    async def _ask(self, question: base.Frame, answer: type[AnswerT], *, channel: int = 1) -> AnswerT:
        if self.closed:
            raise BrokerUnavailable("the connection is closed")
        coming = self._answers[answer] = self._loop.create_future()
        self._send(question, channel)
        try:
            async with asyncio.timeout(STEP):
                return cast("AnswerT", await coming)
        except TimeoutError:
            raise BrokerUnavailable(f"no answer in time to {question.name}") from None
