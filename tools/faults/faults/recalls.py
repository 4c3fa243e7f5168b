"""Judges recalls: the deletions that the simulated Telegram saw are compared with what the ledger says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

OPEN = frozenset({"pending", "slotted", "sending"})
_SHOWN = 20  # violations of one sort that are spelled out

Said = tuple[int, int]  # a chat and the number of a message in it


@dataclass(frozen=True, slots=True)
class Item:
    """What the ledger says of one message of a recalled broadcast; no state where no item was made of it."""

    chat_id: int
    message_id: int
    state: str | None

    @property
    def said(self) -> Said:
        """Which message."""
        return self.chat_id, self.message_id


@dataclass(frozen=True)
class Verdict:
    """The counts, and every broken promise in words."""

    counts: dict[str, int]
    violations: list[str] = field(default_factory=list)


def judge(items: Sequence[Item], deleted: Sequence[Said]) -> Verdict:
    """`deleted` took effect. Done means gone, gone means done, nothing is left open and nobody else's is touched."""
    states = {item.said: item.state for item in items}
    gone, broken = set(deleted), list[str]()

    def name(what: str, found: Iterable[object]) -> int:
        spelled = [f"{what}: {each}" for each in sorted(found, key=str)]
        broken.extend(spelled[:_SHOWN])
        broken.extend([f"… and {len(spelled) - _SHOWN} more of these"] if len(spelled) > _SHOWN else [])
        return len(spelled)

    counts = {
        "messages": len(states),
        "deleted": len(gone),
        "unplanned": name("sent, recalled, and without an item", [s for s, state in states.items() if state is None]),
        "open": name("left open", [f"{said} {state}" for said, state in states.items() if state in OPEN]),
        "unfounded": name("`done`, and never deleted", {s for s, state in states.items() if state == "done"} - gone),
        "denied": name("deleted, and not `done`", {s for s in gone & states.keys() if states[s] != "done"}),
        "outside": name("deleted, and nobody recalled it", gone - states.keys()),
        "twice": name("deleted twice", {said for said in gone if deleted.count(said) > 1}),
    }
    return Verdict(counts, broken)
