"""Judges a history as RabbitMQ's Jepsen suite does: counts what became of every update, names what broke a promise."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from faults.attribution import Answers, attribute
from faults.history import Disturbance, History, Send, Update, UpdateKey

IN_FLIGHT = 3.0  # seconds that a send may have been under way before what it ran in was broken
_SHOWN = 20  # violations of one sort that are spelled out


@dataclass(frozen=True)
class Verdict:
    """The counts, and every broken promise in words."""

    attempted: int
    acknowledged: int
    effects: int
    lost: int
    doubled: int
    doubled_in_flight: int
    unexpected: int
    recovered: int
    unknown: int
    disordered: int
    violations: list[str]
    recovery: list[float] = field(default_factory=list)  # seconds, one for each disturbance


def check(history: History, *, dead_letters: int = 0, ordered: bool = True) -> Verdict:
    """`dead_letters` is how many the fault asks for; without `ordered` a change of order is counted, not blamed."""
    answers = attribute(history.updates, history.sends, history.rows.replies)
    violations: list[str] = []
    acked = [update for update in history.updates if update.acked_at is not None]
    lost = _lost(history, acked, answers, violations)
    state_doubled = _state_doubled(history, violations)
    doubled, in_flight = _doubled(history, answers, violations)
    unexpected = _unexpected(history, answers, violations)
    disordered = _disordered(history.updates, answers.copies)
    if ordered and disordered:
        violations.append(f"{disordered} replies to a user came in another order than what they answer")
    _left_over(history, dead_letters, violations)
    return Verdict(
        attempted=len(history.updates),
        acknowledged=len(acked),
        effects=sum(update.key in answers.copies for update in history.updates),
        lost=lost,
        doubled=doubled + state_doubled,
        doubled_in_flight=in_flight,
        unexpected=unexpected,
        recovered=sum(update.failed_before and update.key in answers.copies for update in acked),
        unknown=len(_given_up(history) & {update.key for update in history.updates}),
        disordered=disordered,
        violations=violations,
        recovery=recovery_times(history, answers),
    )


def recovery_times(history: History, answers: Answers) -> list[float]:
    """From the port's first answer to the first new effect; after the ingress, of an update that was taken later."""
    acked_at = {update.key: update.acked_at or 0.0 for update in history.updates}
    first = sorted((sends[0].at, acked_at[key]) for key, sends in answers.copies.items())
    times = []
    for each in history.disturbances:
        asked_after = each.back if each.target.startswith("ingress") else 0.0
        effect = next((at for at, acked in first if at >= each.back and acked >= asked_after), None)
        if effect is not None:
            times.append(effect - each.back)
    return times


def _lost(history: History, acked: Iterable[Update], answers: Answers, violations: list[str]) -> int:
    given_up = _given_up(history)
    missing: dict[UpdateKey, str] = {}
    for update in acked:
        if update.key not in history.rows.inbox:
            missing[update.key] = "no inbox row"
        elif update.kind == "tell" and not history.rows.told.get(update.number):
            missing[update.key] = "no state effect"
        elif update.key not in answers.copies and update.key not in given_up:
            missing[update.key] = "no reply"
    _tell(violations, [f"lost: update {key} got 2xx and has {what}" for key, what in missing.items()])
    return len(missing)


def _given_up(history: History) -> set[UpdateKey]:
    """Replies that the voice itself reports as not surely said."""
    return {(row.bot_id, row.update_id) for row in history.rows.replies if row.state in {"unknown", "failed"}}


def _state_doubled(history: History, violations: list[str]) -> int:
    twice = {number: rows for number, rows in history.rows.told.items() if rows > 1}
    _tell(violations, [f"doubled: text {number} has {rows} rows" for number, rows in twice.items()])
    return sum(rows - 1 for rows in twice.values())


def _doubled(history: History, answers: Answers, violations: list[str]) -> tuple[int, int]:
    """Copies that nothing excuses, and copies of sends that were in flight at a disturbance."""
    excused: Counter[Disturbance] = Counter()
    faults: list[str] = []
    for key, sends in answers.copies.items():
        for first, second in pairwise(sends):
            excuse = _excuse(first, second, history.disturbances)
            if excuse is None:
                faults.append(f"doubled: update {key} was answered at {first.at:.3f} and again at {second.at:.3f}")
            else:
                excused[excuse] += 1
    _tell(violations, faults)
    for each, count in excused.items():
        if count > each.may_double:
            violations.append(f"{count} replies doubled at one {each.target}, {each.may_double} could be in flight")
    return len(faults), excused.total()


def _excuse(first: Send, second: Send, disturbances: Iterable[Disturbance]) -> Disturbance | None:
    return next(
        (each for each in disturbances if each.at - IN_FLIGHT <= first.at <= each.back and each.at <= second.at), None
    )


def _unexpected(history: History, answers: Answers, violations: list[str]) -> int:
    strangers = history.rows.inbox - {update.key for update in history.updates} - history.others
    _tell(violations, [f"unexpected: an inbox row for {key}, which nobody sent" for key in sorted(strangers)])
    _tell(violations, [f"unexpected: a message to user {send.user_id} answers nothing" for send in answers.unexpected])
    return len(strangers) + len(answers.unexpected)


def _disordered(updates: Iterable[Update], copies: dict[UpdateKey, list[Send]]) -> int:
    """How many first answers to a user came before the answer to something written earlier."""
    said: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
    for update in updates:
        if update.key in copies:
            said[update.bot_id, update.user_id].append((update.number, copies[update.key][0].at))
    return sum(_inversions([at for _, at in sorted(each)]) for each in said.values())


def _inversions(times: Sequence[float]) -> int:
    return sum(later < earlier for earlier, later in pairwise(times))


def _left_over(history: History, dead_letters: int, violations: list[str]) -> None:
    waiting = sum(row.state == "sending" for row in history.rows.replies)
    undelivered = sum(update.acked_at is None for update in history.updates)
    for count, what in (
        (undelivered, "updates never got 2xx"),
        (waiting, "replies are still `sending`"),
        (history.rows.outbox, "rows are left in the outbox"),
        (history.queued, "messages are left in the queues"),
        (history.rows.dead_letters - dead_letters, "dead letters that the fault does not ask for"),
    ):
        if count:
            violations.append(f"{count} {what}")


def _tell(violations: list[str], found: Sequence[str]) -> None:
    violations += found[:_SHOWN]
    if len(found) > _SHOWN:
        violations.append(f"… and {len(found) - _SHOWN} more of these")
