"""Which delivery gets which slot: by priority, then fairly between broadcasts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from common.ids import BotId
from common.records import Candidate, FreeSlot


def assign(
    slots: Sequence[FreeSlot], candidates: Sequence[Candidate], *, turn: int
) -> list[tuple[FreeSlot, Candidate]]:
    """Pairs, a group at most once; `turn` moves on each time, so that no broadcast is always first."""
    by_bot: dict[BotId, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_bot[candidate.bot_id].append(candidate)
    queues = {bot_id: _queue(found, turn) for bot_id, found in by_bot.items()}
    pairs: list[tuple[FreeSlot, Candidate]] = []
    groups: set[int] = set()
    for slot in slots:
        chosen = next((c for c in queues.get(slot.bot_id, iter(())) if c.group_id not in groups), None)
        if chosen is not None:
            groups.add(chosen.group_id)
            pairs.append((slot, chosen))
    return pairs


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
