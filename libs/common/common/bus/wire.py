"""AMQP 0-9-1 as bytes: what is written and read for each message, and who we are to the broker. Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pamqp import base, commands, frame, header
from pamqp.common import FieldTable

from common.errors import ConfigurationError

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
_FRAME = struct.Struct(">BHI")
_FRAME_END = b"\xce"
_OVERHEAD = 8  # bytes around a frame's payload
METHOD, HEADER, BODY = 1, 2, 3  # frame types
DELIVER = b"\x00\x3c\x00\x3c"  # basic.deliver
_SETTLE = struct.Struct(">BHIIQBB")
_ACK, _NACK = 0x003C0050, 0x003C0078
_CONTENT = struct.Struct(">QH")  # of a content header: the body's size, and which properties follow
_LONG, _TEXT = ord("l"), ord("S")
_OURS = 0x8000 | 0x2000 | 0x1000 | 0x0080 | 0x0040 | 0x0020  # the flags that `publish_frames` sets


@dataclass(frozen=True)
class Address:
    """Where the broker is and who we are there."""

    host: str
    port: int
    user: str
    password: str
    vhost: str
    tls: bool

    def __repr__(self) -> str:
        """Without the credentials."""
        return f"Address({self.host}:{self.port}{'' if self.vhost == '/' else '/' + self.vhost})"


def parse_address(url: str) -> Address:
    """RabbitMQ's URI rules: no path is the vhost `/`, credentials and vhost are percent-encoded; ConfigurationError."""
    try:
        parts = urlsplit(url)
        tls, host, port = parts.scheme == "amqps", parts.hostname, parts.port
    except ValueError:  # its text may quote the password
        host = None
    if not host or parts.scheme not in {"amqp", "amqps"}:
        raise ConfigurationError("AMQP_URL must be amqp://user:password@host:port/vhost")
    return Address(
        host=host,
        port=port or (5671 if tls else 5672),
        user=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        vhost=unquote(parts.path[1:]) or "/",
        tls=tls,
    )


def publish_frames(
    routing_key: str,
    body: bytes,
    *,
    message_id: str,
    kind: str,
    timestamp: int,
    headers: Mapping[str, str | int],
    frame_max: int,
) -> bytes:
    """One persistent, mandatory message through the default exchange, as one write."""
    key = routing_key.encode()
    method = b"\x00\x3c\x00\x28\x00\x00\x00" + bytes([len(key)]) + key + b"\x01"  # basic.publish, mandatory
    properties = _properties(message_id, kind, timestamp, headers)
    content = b"\x00\x3c\x00\x00" + struct.pack(">Q", len(body)) + properties
    head = _FRAME.pack(1, 1, len(method)) + method + _FRAME_END + _FRAME.pack(2, 1, len(content)) + content + _FRAME_END
    step = frame_max - _OVERHEAD
    if 0 < len(body) <= step:  # an empty body has no frame: the broker would close the connection
        return b"".join((head, _FRAME.pack(BODY, 1, len(body)), body, _FRAME_END))
    parts = [body[at : at + step] for at in range(0, len(body), step)]
    return head + b"".join(_FRAME.pack(BODY, 1, len(part)) + part + _FRAME_END for part in parts)


def end_of_frame(buffer: bytes, at: int, frame_max: int) -> int:
    """Where the frame that begins at `at` ends; 0 where its rest is still to come. ValueError for what is no frame."""
    if len(buffer) < at + _FRAME.size:
        return 0
    size: int = _FRAME.unpack_from(buffer, at)[2] + _OVERHEAD
    if size > frame_max:
        raise ValueError("larger than was agreed")
    if len(buffer) < at + size:
        return 0
    if buffer[at + size - 1] != _FRAME_END[0]:
        raise ValueError("not a frame")
    return at + size


def ack(tag: int, *, multiple: bool = False) -> bytes:
    """With `multiple` also of all before it that are not settled yet."""
    return _SETTLE.pack(METHOD, 1, 13, _ACK, tag, multiple, _FRAME_END[0])


def nack(tag: int) -> bytes:
    """Back to its place in the queue."""
    return _SETTLE.pack(METHOD, 1, 13, _NACK, tag, 2, _FRAME_END[0])


def delivery_tag(data: bytes) -> int:
    """Of a frame that is a basic.deliver."""
    after_consumer_tag = 12 + data[11]
    return int.from_bytes(data[after_consumer_tag : after_consumer_tag + 8], "big")


class Properties(NamedTuple):
    """What a content header says of its message; nothing of it need be there."""

    message_id: str | None = None
    type: str | None = None
    headers: Mapping[str, Any] = {}


def content_header(data: bytes) -> tuple[int, Properties]:
    """The body's size and the properties. Anybody may put a message into a queue: what can't be read is left out."""
    size, flags = _CONTENT.unpack_from(data, 11)
    try:
        return size, (_ours(data) if flags == _OURS else None) or _anybodys(data)
    except Exception:  # noqa: BLE001 (a decoder's surprise: a message must not end the connection that brings it)
        return size, Properties()


def command(method: base.Frame, channel: int) -> bytes:
    """Any other method, where speed does not matter."""
    return frame.marshal(method, channel)


def start_ok(address: Address, connection_name: str) -> commands.Connection.StartOk:
    """Our capabilities: the broker must tell us of blocks, of nacks, and of a consumer that it ends."""
    known = ("publisher_confirms", "basic.nack", "connection.blocked", "consumer_cancel_notify")
    capabilities: FieldTable = dict.fromkeys(known, True)
    return commands.Connection.StartOk(
        client_properties={"product": "muster", "connection_name": connection_name, "capabilities": capabilities},
        mechanism="PLAIN",
        response=f"\0{address.user}\0{address.password}",
        locale="en_US",
    )


def returned_message_id(content: header.ContentHeader) -> str:
    """Which publish a basic.return speaks of: it carries no delivery tag."""
    return str(content.properties.message_id or "")


def _ours(data: bytes) -> Properties | None:
    """By hand, for it is done for each job; None where a header is of another kind than ours are."""
    at = 22 + data[21]  # the content type
    end = at + 4 + int.from_bytes(data[at : at + 4], "big")
    at, headers = at + 4, dict[str, str | int]()
    while at < end:
        kind = at + 1 + data[at]
        name, at = data[at + 1 : kind].decode(), kind + 9
        if data[kind] == _LONG:
            headers[name] = int.from_bytes(data[kind + 1 : at], "big", signed=True)
        elif data[kind] == _TEXT:
            begin = kind + 5
            at = begin + int.from_bytes(data[kind + 1 : begin], "big")
            headers[name] = data[begin:at].decode()
        else:
            return None
    end = at + 2 + data[at + 1]  # the delivery mode, the message's id; a timestamp before the type
    return Properties(data[at + 2 : end].decode(), data[end + 9 : end + 9 + data[end + 8]].decode(), headers)


def _anybodys(data: bytes) -> Properties:
    found = frame.unmarshal(data)[2]
    if not isinstance(found, header.ContentHeader):
        return Properties()
    of = found.properties
    return Properties(of.message_id, of.message_type, of.headers or {})


def _properties(message_id: str, kind: str, timestamp: int, headers: Mapping[str, str | int]) -> bytes:
    # Flags in the order of the specification (basic class): content-type, headers, delivery-mode, message-id,
    # timestamp, type.
    table = b"".join(_field(name, value) for name, value in headers.items())
    return b"".join(
        (
            struct.pack(">H", _OURS),
            _short("application/json"),
            struct.pack(">I", len(table)),
            table,
            b"\x02",
            _short(message_id),
            struct.pack(">Q", timestamp),
            _short(kind),
        )
    )


def _field(name: str, value: str | int) -> bytes:
    if isinstance(value, int):
        return _short(name) + b"l" + struct.pack(">q", value)
    data = value.encode()
    return _short(name) + b"S" + struct.pack(">I", len(data)) + data


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes([len(data)]) + data
