"""Whether a server answers in its own protocol, without a client library."""

from __future__ import annotations

import socket
import struct
from typing import Final

from stack.ports import LOOPBACK

AMQP_GREETING: Final = b"AMQP\x00\x00\x09\x01"
POSTGRES_PROTOCOL_3: Final = 196_608
AUTHENTICATION: Final = b"R"
METHOD_FRAME: Final = 1


def postgres_answers(port: int, user: str, database: str) -> bool:
    """Whether PostgreSQL takes connections: it asks for a password only when it is not starting or stopping."""
    parameters = b"".join(word.encode() + b"\x00" for word in ("user", user, "database", database)) + b"\x00"
    packet = struct.pack("!ii", len(parameters) + 8, POSTGRES_PROTOCOL_3) + parameters
    return _first_byte(port, packet) == AUTHENTICATION


def rabbitmq_answers(port: int) -> bool:
    """Whether RabbitMQ takes connections: it opens its port last, and greets with a method frame."""
    return _first_byte(port, AMQP_GREETING) == bytes([METHOD_FRAME])


def reachable(host: str, port: int) -> bool:
    """Whether anybody listens there."""
    try:
        with socket.create_connection((host, port), timeout=3):
            return True
    except OSError:
        return False


def _first_byte(port: int, greeting: bytes) -> bytes:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            connection.sendall(greeting)
            return connection.recv(1)
    except OSError:
        return b""
