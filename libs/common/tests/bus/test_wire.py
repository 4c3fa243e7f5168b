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
