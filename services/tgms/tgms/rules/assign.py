"""Which delivery gets which slot: by priority, then fairly between broadcasts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from common.ids import BotId
from common.records import Candidate, FreeSlot


@dataclass(frozen=True, slots=True)
class Chosen:
    """`kept`: by bot the broadcast whose next message needs more slots than are free; it is the next turn's first."""

    pairs: list[tuple[list[FreeSlot], Candidate]]
    kept: dict[BotId, int]


def assign(
    slots: Sequence[FreeSlot],
    candidates: Sequence[Candidate],
    *,
    turn: int,
    first: Mapping[BotId, int] | None = None,
) -> Chosen:
    """Slots for each chosen one, a group at most once; `turn` moves on each time, so that no broadcast is always first.

    An album takes a slot for each of its items. One whose turn it is and for which too few are left keeps them free
    until there are enough, and is `first` until then: else what needs only one would always be before it.
    """
    by_bot: dict[BotId, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_bot[candidate.bot_id].append(candidate)
    left: dict[BotId, list[FreeSlot]] = defaultdict(list)
    for slot in slots:
        left[slot.bot_id].append(slot)
    groups: set[int] = set()
    chosen = Chosen([], {})
    for bot_id, found in by_bot.items():
        queue = _queue(found, turn, (first or {}).get(bot_id))
        waits = _of_bot(left[bot_id], queue, groups, chosen.pairs)
        if waits is not None:
            chosen.kept[bot_id] = waits.broadcast_id
    return chosen


def _of_bot(
    left: list[FreeSlot],
    queue: Iterator[Candidate],
    groups: set[int],
    pairs: list[tuple[list[FreeSlot], Candidate]],
) -> Candidate | None:
    """Whom too few slots are left for, if any are."""
    at = 0
    for candidate in queue:
        if candidate.group_id in groups:
            continue
        if at + candidate.slots > len(left):
            return candidate if at < len(left) else None
        pairs.append((left[at : at + candidate.slots], candidate))
        groups.add(candidate.group_id)
        at += candidate.slots
    return None


def _queue(candidates: list[Candidate], turn: int, first: int | None) -> Iterator[Candidate]:
    """Higher priority first; within one, round and round over its broadcasts."""
    for priority in sorted({c.priority for c in candidates}, reverse=True):
        lanes: dict[tuple[int, bool], list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            if candidate.priority == priority:
                lanes[candidate.broadcast_id, candidate.revises].append(candidate)
        order = sorted(lanes)
        order = order[turn % len(order) :] + order[: turn % len(order)]
        order.sort(key=lambda lane: lane != (first, False))
        for place in range(max(map(len, lanes.values()))):
            yield from (lanes[b][place] for b in order if place < len(lanes[b]))
