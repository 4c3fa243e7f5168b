"""What webhooks are told of: kinds and the form of an event. A kind's name never changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

Kind: TypeAlias = Literal[
    "broadcast.started",
    "broadcast.finished",
    "broadcast.paused",
    "broadcast.cancelled",
    "delivery.failed",
    "delivery.unknown",
    "delivery.sent",
    "group.out_of_sending",
]
GATHERED: Final = "delivery.sent"  # many: they wait for company, and go out up to a hundred in one request
TEST: Final = "webhook.test"


@dataclass(frozen=True, slots=True)
class Event:
    """`data` has ids, states and reasons, and no user's text."""

    event_id: int
    kind: str
    at: datetime
    data: dict[str, Any]
