"""Which delivery gets which slot: by priority, then fairly between broadcasts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from common.ids import BotId
from common.records import Candidate, FreeSlot


def assign(
    slots: Sequence[FreeSlot], candidates: Sequence[Candidate], *, turn: int
) -> list[tuple[list[FreeSlot], Candidate]]:
    """Slots for each chosen one, a group at most once; `turn` moves on each time, so that no broadcast is always first.

    An album takes a slot for each of its items. One whose turn it is and for which too few are left keeps them free
    until there are enough: else what needs only one would always be before it.
    """
    by_bot: dict[BotId, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_bot[candidate.bot_id].append(candidate)
    left: dict[BotId, list[FreeSlot]] = defaultdict(list)
    for slot in slots:
        left[slot.bot_id].append(slot)
    groups: set[int] = set()
    return [pair for bot_id, found in by_bot.items() for pair in _of_bot(left[bot_id], _queue(found, turn), groups)]


def _of_bot(
    left: list[FreeSlot], queue: Iterator[Candidate], groups: set[int]
) -> Iterator[tuple[list[FreeSlot], Candidate]]:
    at = 0
    for candidate in queue:
        if candidate.group_id in groups:
            continue
        if at + candidate.slots > len(left):
            return
        yield left[at : at + candidate.slots], candidate
        groups.add(candidate.group_id)
        at += candidate.slots


def _queue(candidates: list[Candidate], turn: int) -> Iterator[Candidate]:
    """Higher priority first; within one, round and round over its broadcasts."""
    for priority in sorted({c.priority for c in candidates}, reverse=True):
        lanes: dict[tuple[int, bool], list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            if candidate.priority == priority:
                lanes[candidate.broadcast_id, candidate.revises].append(candidate)
        order = sorted(lanes)
        order = order[turn % len(order) :] + order[: turn % len(order)]
        for place in range(max(map(len, lanes.values()))):
            yield from (lanes[b][place] for b in order if place < len(lanes[b]))
