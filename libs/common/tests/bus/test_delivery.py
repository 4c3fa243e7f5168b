from __future__ import annotations

from typing import Any

import pytest
from common.bus.delivery import Delivery


class Incoming:
    """What `Delivery.of` reads of a message."""

    def __init__(self, headers: dict[str, Any] | None = None, kind: str | None = None, message_id: str = "m1") -> None:
        self.body = b"{}"
        self.headers = headers or {}
        self.type = kind
        self.message_id = message_id


def delivery(**fields: Any) -> Delivery:
    return Delivery.of(Incoming(**fields), "dm_queue")


@pytest.mark.parametrize("attempt", [0, -5, "many", None, 2**30, 2**31, 2**40, 2**60])
def test_an_attempt_that_no_row_can_hold_counts_as_the_first(attempt: object) -> None:
    assert delivery(headers={"attempt": attempt}).envelope.attempt == 1


def test_the_largest_attempt_that_a_row_can_hold_is_believed() -> None:
    assert delivery(headers={"attempt": 2**30 - 1}).envelope.attempt == 2**30 - 1


def test_a_nul_in_a_header_does_not_reach_the_row() -> None:
    envelope = delivery(headers={"job_id": "a\0b", "traceparent": "00-\0"}, kind="\0k").envelope
    assert (envelope.job_id, envelope.kind, envelope.traceparent) == ("ab", "k", "00-")


def test_nothing_but_nul_is_as_good_as_nothing() -> None:
    envelope = delivery(headers={"job_id": "\0"}, kind="\0", message_id="m\0").envelope
    assert (envelope.job_id, envelope.kind) == ("m", "unknown")
