"""How far a broadcast's recall or edit is: figures from the API's document, and what its end means. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from muster_cli import figures


@dataclass(frozen=True)
class Revision:
    """Numbers of messages."""

    revision_id: int
    kind: str
    state: str
    reason: str | None
    total: int
    done: int
    failed: int
    too_old: int
    cancelled: int
    eta: int | None  # seconds
    finished: bool

    @classmethod
    def of(cls, document: dict[str, Any]) -> Revision:
        """From one of a broadcast's `revisions`."""
        by_state = document["messages"]
        return cls(
            revision_id=document["revision_id"],
            kind=document["kind"],
            state=document["state"],
            reason=document["reason"],
            total=max(document["total"], sum(by_state.values())),
            done=by_state.get("done", 0),
            failed=by_state.get("failed", 0),
            too_old=by_state.get("not_recallable", 0),
            cancelled=by_state.get("cancelled", 0),
            eta=document["eta_seconds"],
            finished=document["finished_at"] is not None,
        )

    @property
    def complete(self) -> bool:
        """It has ended, and every message that was sent is gone, or has the new content."""
        return self.state == "done" and self.finished and self.done == self.total

    @property
    def line(self) -> str:
        """All of it: `recall 3 running: 120 of 300 deleted, 180 left, 2 min left`."""
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.kind} {self.revision_id} {self.state}{why}: {', '.join(self._parts())}"

    def _parts(self) -> list[str]:
        """What did not happen is not said."""
        what = "deleted" if self.kind == "recall" else "edited"
        left = max(0, self.total - self.done - self.failed - self.too_old - self.cancelled)
        several = (
            (self.failed, "failed"),
            (self.too_old, "too old to be deleted"),
            (self.cancelled, "cancelled"),
            (left, "left"),
        )
        parts = [f"{self.done:,} of {self.total:,} {what}", *(f"{count:,} {name}" for count, name in several if count)]
        return [*parts, f"{figures.span(self.eta)} to go"] if self.eta is not None and not self.finished else parts
