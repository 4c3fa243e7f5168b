"""Which update each message answers: by the number in its text, by the row that names it, or by what waited for it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from faults.history import ReplyRow, Send, Update, UpdateKey

_NUMBER = re.compile(r"\bn(\d{7})\b")


def numbered(number: int) -> str:
    """The word that carries a number through a name or a text."""
    return f"n{number:07d}"


def number_in(text: str) -> int | None:
    """The number that a text carries."""
    found = _NUMBER.search(text)
    return int(found.group(1)) if found else None


@dataclass(frozen=True)
class Answers:
    """The copies of each update's reply in the order they were sent, and messages that answer nothing."""

    copies: dict[UpdateKey, list[Send]]
    unexpected: list[Send]


def attribute(updates: Iterable[Update], sends: Iterable[Send], rows: Iterable[ReplyRow]) -> Answers:
    """A copy that was not settled has another message id than the row, and its text may carry no number: then it is a
    copy of the first message with its words that was written already and is settled only later.
    """
    known = {update.key: update for update in updates}
    by_number = {update.number: update for update in known.values()}
    by_message = {
        (row.bot_id, known[key].user_id, row.message_id): known[key]
        for row in rows
        if row.message_id is not None and (key := (row.bot_id, row.update_id)) in known
    }
    copies: dict[UpdateKey, list[Send]] = defaultdict(list)
    unexpected: list[Send] = []
    for said in _by_user(sends).values():
        certain = [_certain(send, by_number, by_message) for send in said]
        settled = [(send, update) for send, update in zip(said, certain, strict=True) if update is not None]
        for send, update in zip(said, certain, strict=True):
            answered = update or _likely(send, settled)
            if answered is None:
                unexpected.append(send)
            else:
                copies[answered.key].append(send)
    return Answers(dict(copies), unexpected)


def _by_user(sends: Iterable[Send]) -> dict[tuple[int, int], list[Send]]:
    grouped: dict[tuple[int, int], list[Send]] = defaultdict(list)
    for send in sorted(sends, key=lambda each: each.at):
        grouped[send.bot_id, send.user_id].append(send)
    return grouped


def _certain(send: Send, by_number: dict[int, Update], by_message: dict[tuple[int, int, int], Update]) -> Update | None:
    number = number_in(send.text)
    if number is None:
        return by_message.get((send.bot_id, send.user_id, send.message_id))
    return by_number.get(number)


def _likely(send: Send, settled: Sequence[tuple[Send, Update]]) -> Update | None:
    if number_in(send.text) is not None:
        return None
    same = [(at.at, update) for at, update in settled if at.text == send.text]
    open_then = [update for at, update in same if at >= send.at and (update.acked_at or 0.0) <= send.at]
    if open_then:
        return min(open_then, key=lambda update: update.number)
    before = [update for at, update in same if at < send.at]
    return max(before, key=lambda update: update.number, default=None)
