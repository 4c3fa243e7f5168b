"""Who gets a slot: priority first, then a fair share for each broadcast, a group never twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from common.ids import BotId
from common.records import Candidate, FreeSlot
from hypothesis import given
from hypothesis import strategies as st
from tgms.rules.assign import assign
from tgms.rules.front import TURNS, Front

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def slots(n: int, bot: int = 1) -> list[FreeSlot]:
    return [FreeSlot(BotId(bot), number, NOW) for number in range(n)]


def some(broadcast: int, groups: range, *, priority: int = 5, bot: int = 1) -> list[Candidate]:
    return [Candidate(broadcast * 1000 + g, broadcast, g, BotId(bot), priority, NOW) for g in groups]


def test_two_broadcasts_share_whoever_came_first() -> None:
    candidates = some(1, range(100)) + some(2, range(100, 200))
    shares = Counter(c.broadcast_id for turn in range(10) for _, c in assign(slots(7), candidates, turn=turn).pairs)
    assert shares == {1: 35, 2: 35}


def test_a_higher_priority_goes_first_and_the_rest_is_not_wasted() -> None:
    chosen = [
        c.broadcast_id
        for _, c in assign(slots(5), some(1, range(50)) + some(2, range(60, 62), priority=9), turn=3).pairs
    ]
    assert chosen == [2, 2, 1, 1, 1]


def test_a_group_is_sent_to_once_at_a_time_however_many_broadcasts_want_it() -> None:
    candidates = some(1, range(3)) + some(2, range(3)) + some(3, range(3))
    chosen = assign(slots(9), candidates, turn=0).pairs
    assert sorted(c.group_id for _, c in chosen) == [0, 1, 2]


def test_a_bots_slots_are_for_its_own_groups() -> None:
    pairs = assign(slots(2, bot=1) + slots(2, bot=2), some(1, range(1), bot=2), turn=0).pairs
    assert [(slot.bot_id, c.bot_id) for [slot], c in pairs] == [(2, 2)]


def test_a_recall_goes_first_and_an_edit_shares_with_the_sends_of_its_own_broadcast() -> None:
    sends, edits = some(1, range(50)), [replace(c, revises=True) for c in some(1, range(50, 100))]
    recall = [replace(c, revises=True) for c in some(2, range(100, 103), priority=10)]
    chosen = [c for _, c in assign(slots(13), sends + edits + recall, turn=0).pairs]
    assert [c.broadcast_id for c in chosen[:3]] == [2, 2, 2]
    assert Counter(c.revises for c in chosen[3:]) == {True: 5, False: 5}


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 30), st.integers(0, 9), st.integers(1, 3), st.integers(1, 4)),
        max_size=60,
    ),
    st.integers(0, 40),
    st.integers(0, 1000),
)
def test_no_slot_no_delivery_and_no_group_is_used_twice(
    rows: list[tuple[int, int, int, int, int]], n: int, turn: int
) -> None:
    candidates = [
        Candidate(place, broadcast, group, BotId(bot), priority, NOW, items, items)
        for place, (broadcast, group, priority, bot, items) in enumerate(rows)
    ]
    pairs = assign(slots(n, 1) + slots(n, 2), candidates, turn=turn).pairs
    taken = [(slot.bot_id, slot.slot) for some, _ in pairs for slot in some]
    assert len(set(taken)) == len(taken)
    assert all(len(some) == c.slots for some, c in pairs)
    assert len({c.delivery_id for _, c in pairs}) == len(pairs)
    assert len({c.group_id for _, c in pairs}) == len(pairs)
    assert all(s.bot_id == c.bot_id for some, c in pairs for s in some)


def test_an_album_takes_a_slot_for_each_item_and_waits_for_them() -> None:
    album = replace(some(1, range(1), priority=9)[0], items=5, slots=5)
    singles = some(2, range(1, 20))
    assert assign(slots(4), [album, *singles], turn=0).pairs == []
    [(first, chosen), *rest] = assign(slots(7), [album, *singles], turn=0).pairs
    assert (len(first), chosen, len(rest)) == (5, album, 2)


def test_whoever_waits_for_slots_goes_first_until_there_are_enough() -> None:
    album = replace(some(1, range(1))[0], items=5, slots=5)
    waits = assign(slots(2), [album, *some(2, range(1, 20))], turn=0)
    assert (waits.pairs, waits.kept) == ([], {1: 1})
    goes = assign(slots(5), [album, *some(2, range(1, 20))], turn=1, first=waits.kept)
    assert ([c for _, c in goes.pairs], goes.kept) == ([album], {})


def test_who_waits_for_slots_is_first_for_two_seconds_and_as_long_not() -> None:
    front, bot = Front(), BotId(1)
    for turn in range(3 * TURNS):
        assert front.first(turn) == ({bot: 7} if turn and turn % (2 * TURNS) < TURNS else {})
        front.note(turn, [bot], {bot: 7} if turn % (2 * TURNS) < TURNS else {})
    front.note(3 * TURNS, [bot], {bot: 8})
    assert front.first(3 * TURNS) == {bot: 8}, "another one begins anew"
    front.note(3 * TURNS + 1, [BotId(2)], {})
    assert front.first(3 * TURNS + 1) == {bot: 8}, "nobody has looked"
    front.note(3 * TURNS + 2, [bot], {})
    assert front.first(3 * TURNS + 2) == {}, "it went"
