"""AMQP 0-9-1 as bytes: what one publish looks like on the wire and who we are to the broker. Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pamqp import base, commands, frame, header
from pamqp.common import FieldTable

from common.errors import ConfigurationError

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
_FRAME = struct.Struct(">BHI")
_FRAME_END = b"\xce"
_OVERHEAD = 8  # bytes around a frame's payload
_BODY = 3  # frame type


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
        return b"".join((head, _FRAME.pack(_BODY, 1, len(body)), body, _FRAME_END))
    parts = [body[at : at + step] for at in range(0, len(body), step)]
    return head + b"".join(_FRAME.pack(_BODY, 1, len(part)) + part + _FRAME_END for part in parts)


def is_cut(buffer: bytes, frame_max: int) -> bool:
    """Whether it begins a frame whose rest is still to come; False for what can't become one."""
    return len(buffer) < _FRAME.size or len(buffer) < int.from_bytes(buffer[3:7], "big") + _OVERHEAD <= frame_max


def command(method: base.Frame, channel: int) -> bytes:
    """Any other method, where speed does not matter."""
    return frame.marshal(method, channel)


def start_ok(address: Address, connection_name: str) -> commands.Connection.StartOk:
    """Our capabilities: the broker must tell us of blocks and nacks."""
    capabilities: FieldTable = {"publisher_confirms": True, "basic.nack": True, "connection.blocked": True}
    return commands.Connection.StartOk(
        client_properties={"product": "muster", "connection_name": connection_name, "capabilities": capabilities},
        mechanism="PLAIN",
        response=f"\0{address.user}\0{address.password}",
        locale="en_US",
    )


def returned_message_id(content: header.ContentHeader) -> str:
    """Which publish a basic.return speaks of: it carries no delivery tag."""
    return str(content.properties.message_id or "")


def _properties(message_id: str, kind: str, timestamp: int, headers: Mapping[str, str | int]) -> bytes:
    # Flags in the order of the specification (basic class): content-type, headers, delivery-mode, message-id,
    # timestamp, type.
    flags = 0x8000 | 0x2000 | 0x1000 | 0x0080 | 0x0040 | 0x0020
    table = b"".join(_field(name, value) for name, value in headers.items())
    return b"".join(
        (
            struct.pack(">H", flags),
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
