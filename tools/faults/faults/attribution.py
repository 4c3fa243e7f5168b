"""Which update each message answers: by the number in its text, by the row that names it, or by its neighbours."""

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
    """A second copy has another message id than the row, and its text may carry no number: then it is a copy of the
    next message with the same words to the same user, for the copy that was settled is the later one.
    """
    known = {update.key: update for update in updates}
    by_number = {update.number: update.key for update in known.values()}
    by_message = {
        (row.bot_id, known[key].user_id, row.message_id): key
        for row in rows
        if row.message_id is not None and (key := (row.bot_id, row.update_id)) in known
    }
    copies: dict[UpdateKey, list[Send]] = defaultdict(list)
    unexpected: list[Send] = []
    for said in _by_user(sends).values():
        for send, found in zip(said, _keys(said, by_number, by_message), strict=True):
            if found is None:
                unexpected.append(send)
            else:
                copies[found].append(send)
    return Answers(dict(copies), unexpected)


def _by_user(sends: Iterable[Send]) -> dict[tuple[int, int], list[Send]]:
    grouped: dict[tuple[int, int], list[Send]] = defaultdict(list)
    for send in sorted(sends, key=lambda each: each.at):
        grouped[send.bot_id, send.user_id].append(send)
    return grouped


def _keys(
    said: Sequence[Send], by_number: dict[int, UpdateKey], by_message: dict[tuple[int, int, int], UpdateKey]
) -> list[UpdateKey | None]:
    keys: list[UpdateKey | None] = []
    for send in said:
        number = number_in(send.text)
        if number is None:
            keys.append(by_message.get((send.bot_id, send.user_id, send.message_id)))
        else:
            keys.append(by_number.get(number))
    return [key or _neighbour(said, keys, nth) for nth, key in enumerate(keys)]


def _neighbour(said: Sequence[Send], keys: Sequence[UpdateKey | None], nth: int) -> UpdateKey | None:
    if number_in(said[nth].text) is not None:
        return None
    candidates = [*range(nth + 1, len(said)), *range(nth - 1, -1, -1)]
    return next((keys[each] for each in candidates if keys[each] and said[each].text == said[nth].text), None)
