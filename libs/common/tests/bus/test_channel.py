"""What a broker may say to a publisher, said by a peer that can be told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from common.bus import connection as connections
from common.bus.channel import Channel
from common.bus.publisher import Publisher
from common.bus.wire import parse_address
from common.errors import BrokerUnavailable, Unroutable
from common.testing.amqp_peer import AmqpPeer, acknowledge, returned
from common.testing.builders import make_envelope
from common.testing.polling import eventually
from pamqp import base, commands, frame


@pytest.fixture
async def peer() -> AsyncIterator[AmqpPeer]:
    async with AmqpPeer() as server:
        yield server


@pytest.fixture
async def publisher(peer: AmqpPeer) -> AsyncIterator[Publisher]:
    ours = Publisher(peer.url, "test", timeout=1)
    yield ours
    await ours.close()


async def test_a_nack_is_tried_again_and_then_said(peer: AmqpPeer, publisher: Publisher) -> None:
    peer.on_publish = lambda tag: [commands.Basic.Nack(tag)]
    with pytest.raises(BrokerUnavailable, match="refused the message"):
        await publisher.send(make_envelope())
    assert len(peer.of(commands.Basic.Publish)) == 2
    assert peer.connections == 1


async def test_a_nack_followed_by_an_ack_is_a_success(peer: AmqpPeer, publisher: Publisher) -> None:
    peer.on_publish = lambda tag: [commands.Basic.Nack(tag)] if tag == 1 else acknowledge(tag)
    await publisher.send(make_envelope())


async def test_one_ack_may_settle_many(peer: AmqpPeer, publisher: Publisher) -> None:
    peer.on_publish = lambda tag: [commands.Basic.Ack(tag, multiple=True)] if tag == 10 else []
    await asyncio.gather(*(publisher.send(make_envelope()) for _ in range(10)))


async def test_a_blocked_connection_refuses_at_once_until_it_is_unblocked(peer: AmqpPeer, publisher: Publisher) -> None:
    await publisher.send(make_envelope())
    peer.say(commands.Connection.Blocked("low on memory"), 0)
    await eventually(lambda: refused(publisher))
    peer.say(commands.Connection.Unblocked(), 0)
    await eventually(lambda: accepted(publisher))
    assert peer.connections == 1


async def test_what_waits_when_the_broker_blocks_gives_up_in_time(peer: AmqpPeer, publisher: Publisher) -> None:
    await publisher.ping()

    def block(_: int) -> list[base.Frame]:
        peer.say(commands.Connection.Blocked("disk"), 0)
        return []

    peer.on_publish = block
    with pytest.raises(BrokerUnavailable):
        await publisher.send(make_envelope())
    assert peer.connections == 1  # it spoke, so it is slow and not dead


@pytest.mark.parametrize(
    "goodbye",
    [
        commands.Connection.Close(320, "CONNECTION_FORCED - going down", 0, 0),
        commands.Channel.Close(404, "NOT_FOUND", 60, 40),
    ],
    ids=["connection", "channel"],
)
async def test_a_broker_that_closes_is_connected_to_anew(
    peer: AmqpPeer, publisher: Publisher, goodbye: base.Frame
) -> None:
    def close_first(tag: int) -> list[base.Frame]:
        if peer.connections > 1:
            return acknowledge(tag)
        peer.say(goodbye, 0 if isinstance(goodbye, commands.Connection.Close) else 1)
        return []

    peer.on_publish = close_first
    await publisher.send(make_envelope())
    assert peer.connections == 2


async def test_a_silent_broker_is_noticed_without_a_publish(peer: AmqpPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEARTBEAT", 1)
    channel = await Channel.open(parse_address(peer.url), "test")
    peer.be_silent()
    waiting = channel.publish("q", b"{}", message_id="1", kind="k", headers={})
    channel.heard -= 3
    with pytest.raises(BrokerUnavailable, match="silent"):
        await asyncio.wait_for(waiting, 5)


async def test_heartbeats_are_sent_while_idle(peer: AmqpPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEARTBEAT", 1)
    channel = await Channel.open(parse_address(peer.url), "test")
    await eventually(lambda: peer.heartbeats >= 1)
    channel.abort("end of the test")


@pytest.mark.parametrize("chunk", [1, 7, 50])
async def test_answers_may_arrive_in_any_pieces(peer: AmqpPeer, chunk: int) -> None:
    channel = await Channel.open(parse_address(peer.url), "test")
    peer.be_silent()
    first = channel.publish("q", b"{}", message_id="first", kind="k", headers={})
    second = channel.publish("q", b"{}", message_id="second", kind="k", headers={})
    await eventually(lambda: len(peer.of(commands.Basic.Publish)) == 2)
    data = returned("first", b"x" * 100) + frame.marshal(commands.Basic.Ack(2, multiple=True), 1)
    for at in range(0, len(data), chunk):
        peer.say_bytes(data[at : at + chunk])
        await asyncio.sleep(0)
    with pytest.raises(Unroutable):
        await asyncio.wait_for(first, 5)
    await asyncio.wait_for(second, 5)
    channel.abort("end of the test")


async def test_a_returned_message_whose_caller_is_gone_leaves_nothing_behind(peer: AmqpPeer) -> None:
    channel = await Channel.open(parse_address(peer.url), "test")
    peer.be_silent()
    await eventually(lambda: peer.connections)
    gone = channel.publish("q", b"{}", message_id="gone", kind="k", headers={})
    gone.cancel()
    peer.say_bytes(returned("gone") + frame.marshal(commands.Basic.Ack(1), 1))
    after = channel.publish("q", b"{}", message_id="after", kind="k", headers={})
    peer.say(commands.Basic.Ack(2))
    await asyncio.wait_for(after, 5)
    assert channel._unroutable == set()
    assert channel._waiting == {}
    channel.abort("end of the test")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20_000,
        b"\x01\x00\x01\x00\x00\x00\x04\x00\x3c\xff\xff\xce",  # a method that does not exist
        b"\x01\x00\x00\x7f\xff\xff\xff" + b"x" * 400_000,  # a frame larger than was agreed
    ],
    ids=["http", "unknown-method", "oversized-frame"],
)
async def test_what_is_not_amqp_ends_the_connection(peer: AmqpPeer, answer: bytes) -> None:
    channel = await Channel.open(parse_address(peer.url), "test")
    peer.be_silent()
    waiting = channel.publish("q", b"{}", message_id="1", kind="k", headers={})
    peer.say_bytes(answer)
    with pytest.raises(BrokerUnavailable):
        await asyncio.wait_for(waiting, 5)
    assert channel.closed


async def test_a_lost_connection_fails_every_publish_that_waits(peer: AmqpPeer) -> None:
    channel = await Channel.open(parse_address(peer.url), "test")
    peer.be_silent()
    waiting = [channel.publish("q", b"{}", message_id=str(n), kind="k", headers={}) for n in range(5)]
    channel.abort("for the test")
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert all(isinstance(result, BrokerUnavailable) for result in results)
    with pytest.raises(BrokerUnavailable):
        channel.publish("q", b"{}", message_id="late", kind="k", headers={})


async def refused(publisher: Publisher) -> bool:
    try:
        await publisher.send(make_envelope())
    except BrokerUnavailable as error:
        return "blocks publishers" in str(error)
    return False


async def accepted(publisher: Publisher) -> bool:
    try:
        await publisher.send(make_envelope())
    except BrokerUnavailable:
        return False
    return True
