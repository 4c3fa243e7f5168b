"""The trace-edge matrix: which span has to be whose child, over the processes that a message passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.testing.otlp import ReceivedSpan

WEBHOOK: Final = "POST /api/webhooks/telegram"


@dataclass(frozen=True)
class Edge:
    """(service, span) under (service, span)."""

    parent: tuple[str, str]
    child: tuple[str, str]

    def __str__(self) -> str:
        return f"{' '.join(self.parent)} -> {' '.join(self.child)}"


def edge(parent: str, parent_span: str, child: str, child_span: str) -> Edge:
    return Edge((parent, parent_span), (child, child_span))


ANSWERED: Final = (
    edge("ingress", WEBHOOK, "dm", "process dm_queue"),
    edge("dm", "process dm_queue", "dm", "postgres private update"),
    edge("dm", "process dm_queue", "dm", "telegram sendMessage"),
    edge("dm", "process dm_queue", "dm", "postgres settle reply"),
)
PRESSED: Final = (
    edge("ingress", WEBHOOK, "dm", "process dm_queue"),
    edge("dm", "process dm_queue", "dm", "telegram answerCallbackQuery"),
    edge("dm", "process dm_queue", "dm", "telegram editMessageText"),
)
JOIN_REQUEST: Final = (edge("ingress", WEBHOOK, "tgms", "process tgms_queue"),)
BY_THE_OUTBOX: Final = (
    edge("ingress", WEBHOOK, "ingress", "postgres outbox"),
    edge("ingress", WEBHOOK, "tgms", "send dm_queue"),
    edge("tgms", "send dm_queue", "dm", "process dm_queue"),
    edge("dm", "process dm_queue", "dm", "telegram sendMessage"),
)


def missing(spans: list[ReceivedSpan], wanted: tuple[Edge, ...]) -> list[str]:
    """What the trace lacks, in words."""
    by_id = {span.span_id: span for span in spans}
    found = {
        Edge((by_id[s.parent_id].service, by_id[s.parent_id].name), (s.service, s.name))
        for s in spans
        if s.parent_id in by_id
    }
    return [str(each) for each in wanted if each not in found]
