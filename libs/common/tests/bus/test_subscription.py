"""What a broker may say to a consumer, said by a peer that can be told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from common.bus import subscription as subscriptions
from common.bus.consumer import Consumer, Limits
from common.bus.publisher import Publisher
from common.bus.subscription import Message, Subscription
from common.bus.wire import parse_address
from common.errors import BrokerUnavailable
from common.jobs import ProcessPrivateMessage
from common.queues import DM_QUEUE
from common.testing.amqp_peer import AmqpPeer
from common.testing.builders import make_private_job
from common.testing.consuming import Shelf
from common.testing.polling import eventually
from pamqp import base, body, commands, frame, header

CONSUMING: dict[type[base.Frame], base.Frame] = {commands.Basic.Consume: commands.Basic.ConsumeOk("tag")}


@pytest.fixture
async def peer() -> AsyncIterator[AmqpPeer]:
    async with AmqpPeer(replies=dict(CONSUMING)) as server:
        yield server


class Taken(list[Message]):
    def __call__(self, _: Subscription, message: Message) -> None:
        self.append(message)


@asynccontextmanager
async def subscribed(peer: AmqpPeer, taken: Taken | None = None) -> AsyncIterator[Subscription]:
    subscription = Subscription(parse_address(peer.url), "q", Taken() if taken is None else taken, prefetch=7)
    await subscription.begin()
    yield subscription
    await subscription.close()


def delivered(tag: int, *pieces: bytes, message_id: str = "m") -> bytes:
    properties = commands.Basic.Properties(message_id=message_id, message_type="k", headers={"attempt": 2})
    return b"".join(
        (
            frame.marshal(commands.Basic.Deliver("tag", tag, False, "", "q"), 1),
            frame.marshal(header.ContentHeader(0, sum(map(len, pieces)), properties), 1),
            *(frame.marshal(body.ContentBody(piece), 1) for piece in pieces),
        )
    )


async def three(peer: AmqpPeer, taken: Taken, count: int = 3) -> None:
    for tag in range(1, count + 1):
        peer.say_bytes(delivered(tag, b"{}"))
    await eventually(lambda: len(taken) == count)


def acks(peer: AmqpPeer) -> list[tuple[int | None, bool | None]]:
    return [(each.delivery_tag, each.multiple) for each in peer.of(commands.Basic.Ack)]  # type: ignore[attr-defined]


async def test_it_asks_for_its_prefetch_and_tells_its_name(peer: AmqpPeer) -> None:
    async with subscribed(peer):
        [qos] = peer.of(commands.Basic.Qos)
        [hello] = peer.of(commands.Connection.StartOk)
    assert qos.prefetch_count == 7  # type: ignore[attr-defined]
    told = hello.client_properties  # type: ignore[attr-defined]
    assert told["connection_name"] == "muster q"
    assert told["capabilities"]["consumer_cancel_notify"] is True


@pytest.mark.parametrize("chunk", [1, 7, 50, 10_000])
async def test_messages_may_arrive_in_any_pieces(peer: AmqpPeer, chunk: int) -> None:
    taken = Taken()
    async with subscribed(peer, taken):
        data = delivered(1, b"a" * 60, b"b" * 60) + delivered(2) + delivered(3, b"{}", message_id="third")
        for at in range(0, len(data), chunk):
            peer.say_bytes(data[at : at + chunk])
            await asyncio.sleep(0)
        await eventually(lambda: len(taken) == 3)
    assert [(each.tag, each.body) for each in taken] == [(1, b"a" * 60 + b"b" * 60), (2, b""), (3, b"{}")]
    assert (taken[2].message_id, taken[2].type, taken[2].headers) == ("third", "k", {"attempt": 2})


async def test_all_that_are_done_are_acknowledged_with_one_frame(peer: AmqpPeer) -> None:
    taken = Taken()
    async with subscribed(peer, taken) as subscription:
        await three(peer, taken)
        for tag in (2, 3, 1):
            subscription.ack(tag)
        await eventually(lambda: acks(peer))
    assert acks(peer) == [(3, True)]


async def test_what_is_still_at_work_is_not_acknowledged_with_the_others(peer: AmqpPeer) -> None:
    taken = Taken()
    async with subscribed(peer, taken) as subscription:
        await three(peer, taken, 5)
        for tag in (1, 2, 4):
            subscription.ack(tag)
        await eventually(lambda: len(acks(peer)) == 2)
        subscription.ack(3)
        await eventually(lambda: len(acks(peer)) == 3)
    assert acks(peer) == [(2, True), (4, False), (3, True)]  # the fifth is the broker's again


async def test_what_is_given_back_is_not_acknowledged_by_those_behind_it(peer: AmqpPeer) -> None:
    taken = Taken()
    async with subscribed(peer, taken) as subscription:
        await three(peer, taken)
        for tag in (1, 3):
            subscription.ack(tag)
        subscription.give_back(2)
        await eventually(lambda: acks(peer))
    told = [each for each in peer.heard if isinstance(each, commands.Basic.Ack | commands.Basic.Nack)]
    assert [(type(each), each.delivery_tag, each.multiple) for each in told] == [
        (commands.Basic.Nack, 2, False),
        (commands.Basic.Ack, 3, True),
    ]
    assert peer.of(commands.Basic.Nack)[0].requeue  # type: ignore[attr-defined]


async def test_a_message_is_settled_once_whoever_asks_again(peer: AmqpPeer) -> None:
    taken = Taken()
    async with subscribed(peer, taken) as subscription:
        await three(peer, taken, 1)
        subscription.ack(1)
        await eventually(lambda: acks(peer))
        subscription.ack(1)
        subscription.give_back(1)
        subscription.ack(99)
    assert acks(peer) == [(1, True)]
    assert peer.of(commands.Basic.Nack) == []


async def test_what_was_settled_before_the_goodbye_is_told_before_it(peer: AmqpPeer) -> None:
    taken = Taken()
    async with subscribed(peer, taken) as subscription:
        await three(peer, taken)
        subscription.ack(1)
    kinds = [type(each) for each in peer.heard]
    assert kinds.index(commands.Basic.Ack) < kinds.index(commands.Connection.Close)


@pytest.mark.parametrize(
    "goodbye",
    [
        commands.Connection.Close(320, "CONNECTION_FORCED - going down", 0, 0),
        commands.Channel.Close(406, "PRECONDITION_FAILED - timed out", 60, 80),
        commands.Basic.Cancel("tag"),
    ],
    ids=lambda method: method.name,
)
async def test_whatever_ends_the_consumer_is_a_loss(peer: AmqpPeer, goodbye: base.Frame) -> None:
    async with subscribed(peer) as subscription:
        peer.say(goodbye, 0 if isinstance(goodbye, commands.Connection.Close) else 1)
        await asyncio.wait_for(subscription.lost.wait(), 5)
        assert subscription.closed
        with pytest.raises(BrokerUnavailable):
            await subscription.waiting()
        subscription.ack(1)  # nobody to tell
        subscription.give_back(1)


async def test_a_queue_that_is_not_there_ends_the_beginning(peer: AmqpPeer) -> None:
    peer.replies = {commands.Basic.Consume: commands.Channel.Close(404, "NOT_FOUND - no queue", 60, 20)}
    subscription = Subscription(parse_address(peer.url), "q", Taken(), prefetch=7)
    with pytest.raises(BrokerUnavailable, match="404"):
        await subscription.begin()
    assert subscription.closed


async def test_an_answer_that_does_not_come_is_given_up(peer: AmqpPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "STEP", 0.1)
    async with subscribed(peer) as subscription:
        with pytest.raises(BrokerUnavailable, match=r"Queue\.Declare"):
            await subscription.waiting()
        assert not subscription.closed
        peer.mute.add(commands.Connection.Close)
    assert subscription.closed


@pytest.mark.parametrize(
    "step",
    [commands.Connection.StartOk, commands.Channel.Open, commands.Basic.Qos, commands.Basic.Consume],
    ids=lambda step: step.name,
)
async def test_a_broker_that_freezes_on_the_way_up_is_given_up(
    step: type[base.Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "STEP", 0.3)
    async with AmqpPeer(replies=CONSUMING, mute={step}) as peer:
        publisher = Publisher(peer.url, "test", timeout=1)
        consumer = Consumer(peer.url, DM_QUEUE, nothing, publisher=publisher, store=Shelf(), limits=Limits(grace=1))
        stop = asyncio.Event()
        running = asyncio.create_task(consumer.run(stop))
        await eventually(lambda: peer.connections == 2)
        peer.mute.clear()
        await eventually(lambda: consumer.connected)
        stop.set()
        await running


async def test_nothing_is_taken_behind_the_end_of_the_connection(peer: AmqpPeer) -> None:
    taken = Taken()
    async with subscribed(peer, taken) as subscription:
        end = frame.marshal(commands.Channel.Close(406, "x", 60, 80), 1)
        peer.say_bytes(delivered(1, b"{}") + end + delivered(2, b"{}"))
        await asyncio.wait_for(subscription.lost.wait(), 5)
        await asyncio.sleep(0)
    assert [each.tag for each in taken] == [1]


async def test_what_waits_for_its_turn_at_a_loss_is_not_begun(peer: AmqpPeer) -> None:
    begun, goes_on = list[str](), asyncio.Event()

    async def handle(job: ProcessPrivateMessage) -> None:
        begun.append(job.message_id)
        await goes_on.wait()

    publisher = Publisher(peer.url, "test", timeout=1)
    limits = Limits(concurrency=1, grace=5)
    consumer = Consumer(peer.url, DM_QUEUE, handle, publisher=publisher, store=Shelf(), limits=limits)
    stop = asyncio.Event()
    running = asyncio.create_task(consumer.run(stop))
    await eventually(lambda: consumer.connected)
    for user in (1, 2):
        job = make_private_job(user_id=user)
        peer.say_bytes(delivered(user, job.model_dump_json().encode(), message_id=f"m{user}"))
    await eventually(lambda: begun == ["m1"])
    peer.say(commands.Channel.Close(406, "x", 60, 80))
    await eventually(lambda: not consumer.connected)
    goes_on.set()
    await eventually(lambda: consumer.connected and not len(consumer._tasks))
    assert begun == ["m1"]
    stop.set()
    await running


async def nothing(_: ProcessPrivateMessage) -> None:
    """Handles."""
