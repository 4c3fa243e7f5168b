"""Frames as bytes: decoded by pamqp, a codec that is not ours, they say what was meant."""

from __future__ import annotations

from typing import Any

import pytest
from common.bus import wire
from common.errors import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, frame, header

short = st.text(max_size=60).filter(lambda text: len(text.encode()) <= 255)
values = st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(max_size=200))
headers = st.dictionaries(st.text(min_size=1, max_size=30), values, max_size=6)


def decode(data: bytes) -> list[Any]:
    frames = []
    while data:
        consumed, channel, found = frame.unmarshal(data)
        assert channel == 1
        frames.append(found)
        data = data[consumed:]
    return frames


@given(
    routing_key=short,
    payload=st.binary(max_size=3000),
    message_id=short,
    kind=short,
    timestamp=st.integers(0, 2**32 - 1),  # pamqp takes larger ones for milliseconds
    table=headers,
)
def test_pamqp_reads_what_was_meant(
    routing_key: str, payload: bytes, message_id: str, kind: str, timestamp: int, table: dict[str, str | int]
) -> None:
    data = wire.publish_frames(
        routing_key, payload, message_id=message_id, kind=kind, timestamp=timestamp, headers=table, frame_max=1000
    )
    publish, content, *bodies = decode(data)
    assert isinstance(publish, commands.Basic.Publish)
    assert (publish.exchange, publish.routing_key, publish.mandatory, publish.immediate) == (
        "",
        routing_key,
        True,
        False,
    )
    assert isinstance(content, header.ContentHeader)
    properties = content.properties
    assert (properties.message_id or "", properties.message_type or "") == (message_id, kind)
    assert properties.delivery_mode == 2
    assert properties.content_type == "application/json"
    assert properties.timestamp is not None
    assert int(properties.timestamp.timestamp()) == timestamp
    assert properties.headers == table
    assert content.body_size == len(payload)
    assert b"".join(each.value for each in bodies if isinstance(each, body.ContentBody)) == payload


@given(message_id=short, kind=short, table=headers, payload=st.binary(max_size=50))
def test_what_we_publish_we_read(message_id: str, kind: str, table: dict[str, str | int], payload: bytes) -> None:
    data = wire.publish_frames(
        "q", payload, message_id=message_id, kind=kind, timestamp=2**40, headers=table, frame_max=1000
    )
    _, content, *_ = whole_frames(data)
    assert wire.content_header(content) == (len(payload), wire.Properties(message_id, kind, table))


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"message_id": "m1", "message_type": "k"},
        {"headers": {"x-death": [{"count": 1, "queue": "q"}], "job_id": "tg:1:1", "redelivered": True}},
        {"app_id": "somebody", "priority": 3, "headers": {"attempt": 2, "deep": {"er": [1, "two"]}}},
        {"content_type": "text/plain", "delivery_mode": 2, "headers": {"ratio": 0.5, "nothing": None, "short": 7}},
    ],
    ids=",".join,
)
def test_strangers_properties_are_read_as_pamqp_reads_them(properties: dict[str, Any]) -> None:
    meant = commands.Basic.Properties(**properties)
    data = frame.marshal(header.ContentHeader(0, 7, meant), 1)
    assert wire.content_header(data) == (7, wire.Properties(meant.message_id, meant.message_type, meant.headers or {}))


@given(cut=st.integers(0, 100), flipped=st.integers(0, 255), at=st.integers(21, 100))
def test_properties_that_make_no_sense_are_left_out_and_raise_nothing(cut: int, flipped: int, at: int) -> None:
    data = wire.publish_frames(
        "q", b"", message_id="m", kind="k", timestamp=0, headers={"job_id": "a" * 60, "attempt": 1}, frame_max=1000
    )
    content = bytearray(whole_frames(data)[1])
    content[min(at, len(content) - 2)] = flipped
    size, _ = wire.content_header(bytes(content[: len(content) - cut]) if len(content) - cut > 21 else bytes(content))
    assert size == 0


@given(tag=st.integers(1, 2**63 - 1), multiple=st.booleans())
def test_settlements_are_what_pamqp_reads(tag: int, multiple: bool) -> None:  # noqa: FBT001 (hypothesis names it)
    [ack] = decode(wire.ack(tag, multiple=multiple))
    assert isinstance(ack, commands.Basic.Ack)
    assert (ack.delivery_tag, ack.multiple) == (tag, multiple)
    [nack] = decode(wire.nack(tag))
    assert isinstance(nack, commands.Basic.Nack)
    assert (nack.delivery_tag, nack.multiple, nack.requeue) == (tag, False, True)


@given(consumer=st.text(max_size=60), tag=st.integers(1, 2**63 - 1))
def test_a_delivery_is_known_by_its_tag(consumer: str, tag: int) -> None:
    data = frame.marshal(commands.Basic.Deliver(consumer, tag, True, "exchange", "q"), 1)
    assert data.startswith(wire.DELIVER, 7)
    assert wire.delivery_tag(data) == tag


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request", b"\x01\x00\x01\x00\x00\x00\x01x!"], ids=["http", "no-end"]
)
def test_what_is_no_frame_is_said_so(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"agreed|not a frame"):
        wire.end_of_frame(data, 0, 1000)


def whole_frames(data: bytes) -> list[bytes]:
    frames, at = [], 0
    while end := wire.end_of_frame(data, at, 131_072):
        frames.append(data[at:end])
        at = end
    assert at == len(data)
    return frames


@pytest.mark.parametrize("size", [0, 1, 992, 993, 1984, 1985])
def test_no_frame_is_larger_than_negotiated(size: int) -> None:
    data = wire.publish_frames("q", b"x" * size, message_id="m", kind="k", timestamp=0, headers={}, frame_max=1000)
    sizes = []
    while data:
        consumed, _, _ = frame.unmarshal(data)
        sizes.append(consumed)
        data = data[consumed:]
    assert max(sizes) <= 1000
    assert len(sizes) == 2 + -(-size // 992)  # a body of no bytes has no frame at all


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("amqp://broker", wire.Address("broker", 5672, "guest", "guest", "/", tls=False)),
        ("amqps://a:b@broker", wire.Address("broker", 5671, "a", "b", "/", tls=True)),
        ("amqp://a:b@broker:1/", wire.Address("broker", 1, "a", "b", "/", tls=False)),
        ("amqp://a:b@broker/%2F", wire.Address("broker", 5672, "a", "b", "/", tls=False)),
        ("amqp://a:p%40ss%2F@broker/v%2Fh", wire.Address("broker", 5672, "a", "p@ss/", "v/h", tls=False)),
    ],
)
def test_addresses_follow_rabbitmqs_uri_rules(url: str, address: wire.Address) -> None:
    assert wire.parse_address(url) == address


@pytest.mark.parametrize("url", ["", "broker", "http://user:canary@broker", "amqp://", "amqp://u:canary@h:port"])
def test_an_address_that_is_none_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        wire.parse_address(url)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_no_credentials_in_a_repr() -> None:
    assert "canary" not in repr(wire.parse_address("amqp://canary:canary@broker/vhost"))
