from __future__ import annotations

from dataclasses import replace

import pytest
from faults.checker import check
from faults.history import Attempt, ReplyRow, Send
from faults.testing import BOT, USER, good, killed, said_twice, with_rows, without_send


def test_a_good_history_breaks_nothing() -> None:
    verdict = check(good())
    assert verdict.violations == []
    assert (verdict.attempted, verdict.acknowledged, verdict.effects) == (9, 9, 9)
    assert (verdict.lost, verdict.doubled, verdict.unexpected, verdict.disordered) == (0, 0, 0, 0)


def test_a_reply_that_was_never_said_is_lost() -> None:
    verdict = check(without_send(good(), 3))
    assert verdict.lost == 1
    assert any("no reply" in line for line in verdict.violations)


def test_a_reply_that_is_reported_unknown_is_not_lost() -> None:
    history = without_send(good(), 3)
    rows = [
        replace(row, state="unknown", message_id=None) if row.update_id == 1003 else row for row in history.rows.replies
    ]
    verdict = check(with_rows(history, replies=rows))
    assert (verdict.lost, verdict.unknown, verdict.violations) == (0, 1, [])


def test_an_update_without_its_mark_is_lost_though_it_was_answered() -> None:
    history = good()
    verdict = check(with_rows(history, inbox=history.rows.inbox - {(BOT, 1004)}))
    assert verdict.lost == 1


def test_a_text_without_its_row_is_lost() -> None:
    verdict = check(with_rows(good(), told={3: 1, 9: 1}))
    assert verdict.lost == 1
    assert any("no state effect" in line for line in verdict.violations)


def test_a_text_with_two_rows_is_doubled_whatever_was_killed() -> None:
    verdict = check(killed(with_rows(good(), told={3: 1, 6: 2, 9: 1}), 4.0))
    assert verdict.doubled == 1
    assert verdict.violations


def test_a_reply_said_twice_without_a_kill_is_doubled() -> None:
    for nth in (0, 1, 2):  # with a number in the text, and without
        verdict = check(said_twice(good(), nth, earlier=0.05))
        assert (verdict.doubled, verdict.doubled_in_flight, verdict.unexpected) == (1, 0, 0)
        assert verdict.violations


def test_a_reply_in_flight_at_a_kill_may_be_doubled() -> None:
    verdict = check(killed(said_twice(good(), 4, earlier=0.5), 3.7))
    assert (verdict.doubled, verdict.doubled_in_flight, verdict.violations) == (0, 1, [])


def test_a_kill_does_not_excuse_what_was_said_long_before_it() -> None:
    verdict = check(killed(said_twice(good(), 8, earlier=6.0), 7.5))
    assert verdict.doubled == 1


def test_a_kill_does_not_excuse_two_copies_after_it() -> None:
    verdict = check(killed(said_twice(good(), 8, earlier=0.05), 3.0))
    assert verdict.doubled == 1


def test_more_doubled_at_one_kill_than_could_be_in_flight() -> None:
    history = said_twice(said_twice(good(), 4, earlier=0.5), 5, earlier=1.5)
    assert check(killed(history, 3.75, may_double=2)).violations == []
    assert check(killed(history, 3.75, may_double=1)).violations


def test_answers_in_another_order_are_counted_and_blamed_where_order_is_promised() -> None:
    history = good()
    swapped = [replace(send, at=send.at + 3.5) if nth == 2 else send for nth, send in enumerate(history.sends)]
    broken = replace(history, sends=swapped)
    assert check(broken).disordered == 1
    assert check(broken).violations
    assert check(broken, ordered=False).violations == []


def test_a_message_that_answers_nothing_is_unexpected() -> None:
    history = good()
    stray = Send(1.5, BOT, USER, 990, "Hello n0000555!")
    assert check(replace(history, sends=[*history.sends, stray])).unexpected == 1


def test_a_mark_that_nobody_sent_is_unexpected_unless_the_fault_says_so() -> None:
    history = with_rows(good(), inbox=good().rows.inbox | {(BOT, 5)})
    assert check(history).unexpected == 1
    assert check(replace(history, others=frozenset({(BOT, 5)}))).violations == []


def test_an_update_that_never_got_2xx_is_told() -> None:
    history = good()
    updates = [
        replace(update, attempts=(Attempt(1.0, 503),)) if update.number == 2 else update for update in history.updates
    ]
    verdict = check(replace(history, updates=updates))
    assert verdict.acknowledged == 8
    assert any("never got 2xx" in line for line in verdict.violations)


def test_an_update_that_had_to_be_brought_again_is_recovered() -> None:
    history = good()
    again = (Attempt(1.0, 0), Attempt(1.05, 503), Attempt(1.1, 200))
    updates = [replace(update, attempts=again) if update.number == 2 else update for update in history.updates]
    verdict = check(replace(history, updates=updates))
    assert (verdict.recovered, verdict.violations) == (1, [])


def test_what_is_left_over_is_told() -> None:
    history = good()
    sending = [*history.rows.replies, ReplyRow(BOT, 1000, "sending", None)]
    assert check(with_rows(history, replies=sending)).violations == ["1 replies are still `sending`"]
    assert check(with_rows(history, outbox=2)).violations == ["2 rows are left in the outbox"]
    assert check(replace(history, queued=3)).violations == ["3 messages are left in the queues"]


def test_dead_letters_are_as_many_as_the_fault_asks_for() -> None:
    history = with_rows(good(), dead_letters=2)
    assert check(history, dead_letters=2).violations == []
    assert check(history).violations
    assert check(history, dead_letters=3).violations


def test_recovery_runs_from_the_answering_port_to_the_next_effect() -> None:
    assert check(killed(good(), 3.5)).recovery == [pytest.approx(5.1 - 4.5, abs=1e-6)]


def test_after_the_ingress_only_what_was_taken_later_counts() -> None:
    history = good()
    slow = [replace(send, at=5.05) if send.message_id == 53 else send for send in history.sends]
    verdict = check(killed(replace(history, sends=slow), 3.9, target="ingress-1"), ordered=False)
    assert verdict.recovery == [pytest.approx(5.1 - 4.9, abs=1e-6)]
