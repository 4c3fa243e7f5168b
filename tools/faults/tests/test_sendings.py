"""The checker of broadcasts on made-up runs: one that keeps every promise, and each way to break one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from faults.sendings import (
    Arrival,
    Row,
    Sendings,
    audit,
    longest_gap,
    misjudged,
    rates_between,
    resumed,
    too_early,
)

BOT, OTHER = 7, 8


def good(count: int = 5) -> Sendings:
    """One broadcast, everybody gets it, a tenth of a second apart."""
    rows = [Row(nth, 1, -nth, "sent") for nth in range(1, count + 1)]
    arrivals = [Arrival(nth / 10, BOT, -nth, 1, delivered=True) for nth in range(1, count + 1)]
    return Sendings({1: frozenset(row.chat_id for row in rows)}, rows, arrivals)


def with_state(found: Sendings, chat: int, state: str) -> Sendings:
    return replace(found, rows=[replace(row, state=state) if row.chat_id == chat else row for row in found.rows])


def without_message(found: Sendings, chat: int) -> Sendings:
    return replace(found, arrivals=[each for each in found.arrivals if each.chat_id != chat])


def without_row(found: Sendings, chat: int) -> Sendings:
    return replace(found, rows=[row for row in found.rows if row.chat_id != chat])


def with_fault(found: Sendings, chat: int, fault: str, *, delivered: bool) -> Sendings:
    arrivals = [
        replace(each, fault=fault, delivered=delivered) if each.chat_id == chat else each for each in found.arrivals
    ]
    return replace(found, arrivals=arrivals)


def blamed(found: Sendings) -> set[str]:
    """The counts that are bad and not zero; each must have its violation."""
    judged = audit(found)
    bad = {
        "lost", "unreported", "doubled", "twice_in_the_ledger", "outside", "denied", "unexplained", "too_early", "held",
    }  # fmt: skip
    names = {name for name in bad if judged.counts[name]}
    assert bool(names) == bool(judged.violations)
    return names


def test_a_good_run_breaks_nothing() -> None:
    judged = audit(good())
    assert judged.violations == []
    assert (judged.counts["targets"], judged.counts["sent"]) == (5, 5)


def test_what_says_sent_and_never_arrived_is_lost() -> None:
    assert blamed(without_message(good(), -2)) == {"lost"}


def test_a_target_without_row_and_message_is_lost() -> None:
    assert blamed(without_row(without_message(good(), -2), -2)) == {"lost"}


def test_a_message_without_a_row_is_unreported() -> None:
    assert blamed(without_row(good(), -2)) == {"unreported"}


@pytest.mark.parametrize("state", ["pending", "slotted", "sending"])
def test_what_stays_open_is_unreported(state: str) -> None:
    assert blamed(with_state(good(), -2, state)) == {"unreported"}


def test_a_second_copy_is_doubled() -> None:
    found = good()
    assert blamed(replace(found, arrivals=[*found.arrivals, replace(found.arrivals[1], at=9.0)])) == {"doubled"}


def test_the_next_broadcast_to_the_same_chat_is_no_second_copy() -> None:
    found = good()
    second = Sendings(
        found.targets | {2: frozenset({-1})},
        [*found.rows, Row(9, 2, -1, "sent")],
        [*found.arrivals, Arrival(9, BOT, -1, 2, delivered=True)],
    )
    assert blamed(second) == set()


def test_an_attempt_that_delivered_nothing_is_no_copy() -> None:
    found = good()
    refused = Arrival(0.15, BOT, -2, 1, delivered=False, retry_after=0.01)
    assert blamed(replace(found, arrivals=[*found.arrivals, refused])) == set()


@pytest.mark.parametrize("stray", [(1, -99), (3, -1), (None, -1)])
def test_a_message_that_nobody_asked_for_is_outside(stray: tuple[int | None, int]) -> None:
    found = good()
    more = Arrival(9, BOT, stray[1], stray[0], delivered=True)
    assert blamed(replace(found, arrivals=[*found.arrivals, more])) == {"outside"}


def test_a_row_that_nobody_asked_for_is_outside() -> None:
    found = good()
    assert "outside" in blamed(replace(found, rows=[*found.rows, Row(99, 1, -99, "failed")]))


def test_two_rows_for_one_target_are_told() -> None:
    found = good()
    assert blamed(replace(found, rows=[*found.rows, replace(found.rows[0], delivery_id=99)])) == {"twice_in_the_ledger"}


@pytest.mark.parametrize("state", ["failed", "cancelled", "expired"])
def test_what_is_denied_and_was_delivered_is_a_lie(state: str) -> None:
    assert blamed(with_state(good(), -2, state)) == {"denied"}
    assert blamed(without_message(with_state(good(), -2, state), -2)) == set()


@pytest.mark.parametrize("delivered", [True, False])
def test_unknown_is_for_what_had_its_intent_at_a_kill(delivered: bool) -> None:  # noqa: FBT001 (a case)
    found = with_state(good() if delivered else without_message(good(), -2), -2, "unknown")
    assert blamed(found) == {"unexplained"}
    assert blamed(replace(found, doubtful=frozenset({2}))) == set()
    assert audit(found).counts["unknown_delivered"] == delivered


def test_unknown_is_for_what_got_no_certain_answer() -> None:
    assert blamed(with_state(with_fault(good(), -2, "timeout_after", delivered=True), -2, "unknown")) == set()
    assert blamed(with_state(with_fault(good(), -2, "sent_deleted", delivered=True), -2, "unknown")) == {"unexplained"}


def test_what_is_still_held_is_told() -> None:
    assert blamed(replace(good(), held=1)) == {"held"}


def flood(at: float, chat: int, wait: float, bot: int = BOT) -> Arrival:
    return Arrival(at, bot, chat, 1, delivered=False, retry_after=wait)


def fine(at: float, chat: int, bot: int = BOT) -> Arrival:
    return Arrival(at, bot, chat, 1, delivered=True)


def test_a_chats_429_closes_that_chat_alone() -> None:
    assert too_early([flood(1, -1, 5), fine(2, -2), fine(6.1, -1)]) == []
    assert len(too_early([flood(1, -1, 5), fine(5.9, -1)])) == 1


def test_a_bots_429_closes_that_bot_alone_but_for_what_was_under_way() -> None:
    assert too_early([flood(1, -1, 60), fine(1.5, -2), fine(30, -2, OTHER), fine(61.1, -1)]) == []
    assert len(too_early([flood(1, -1, 60), fine(2.5, -2)])) == 1


def test_three_chats_429s_close_their_bot_until_the_longest_is_over() -> None:
    three = [flood(1, -1, 5), flood(2, -2, 9), flood(3, -3, 5)]
    assert too_early([*three, fine(3.5, -4), fine(5, -4, OTHER), fine(11.1, -4)]) == []
    assert len(too_early([*three, fine(4.5, -4)])) == 1
    assert len(too_early([*three, fine(10.9, -4)])) == 1


def test_two_chats_429s_however_many_or_three_that_are_far_apart_close_no_bot() -> None:
    assert too_early([flood(1, -1, 1), flood(2, -2, 1), flood(2.1, -1, 1), flood(3.2, -1, 1), fine(5, -3)]) == []
    assert too_early([flood(1, -1, 9), flood(2, -2, 9), flood(6, -3, 9), fine(8, -4)]) == []


def test_the_longest_of_two_429s_holds_and_its_grace_begins_once() -> None:
    assert len(too_early([flood(1, -1, 60), flood(1.4, -2, 90), fine(70, -3)])) == 1
    assert len(too_early([flood(1, -1, 60), flood(1.9, -2, 60), fine(2.5, -3)])) == 1


def test_each_answer_has_its_meaning() -> None:
    assert misjudged(good()) == []
    assert misjudged(with_state(with_fault(good(), -1, "cut", delivered=True), -1, "unknown")) == []
    assert misjudged(with_fault(good(), -1, "cut", delivered=True)) == ["1 times cut ended as sent"]
    assert misjudged(with_state(good(), -1, "unknown")) == ["1 times None ended as unknown"]


def test_gaps_resumption_and_rates() -> None:
    arrivals = [fine(at, -1) for at in (0.0, 1.0, 4.0, 5.0)] + [fine(4.5, -2, OTHER)]
    assert longest_gap(arrivals, 2.0, 3.0) == 3.0
    assert longest_gap(arrivals, 0.0, 1.0) == 1.0
    assert resumed(arrivals, 1.5) == 2.5
    assert resumed(arrivals, 9.0) is None
    assert rates_between(arrivals, 4.0, 6.0) == {BOT: 1.0, OTHER: 0.5}


def test_many_of_a_sort_are_not_all_spelled_out() -> None:
    found = good(100)
    assert len(audit(replace(found, arrivals=[])).violations) == 21
