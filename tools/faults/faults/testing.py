"""Made-up histories: one that keeps every promise, and ways to break it."""

from __future__ import annotations

from dataclasses import replace

from faults.attribution import numbered
from faults.history import Attempt, Disturbance, History, ReplyRow, Rows, Send, Update
from faults.writers import STEPS

BOT, USER = 7, 100
TEXTS = {"start": "Hello {}!", "ask": "What is it about?", "tell": "Thank you."}


def good(count: int = 9) -> History:
    """One user who writes every second and is answered at once."""
    updates, sends, rows = [], [], []
    for nth in range(count):
        kind = STEPS[nth % len(STEPS)]
        updates.append(Update(BOT, 1000 + nth, USER, 1 + nth, kind, (Attempt(float(nth), 200),)))
        sends.append(Send(nth + 0.1, BOT, USER, 50 + nth, TEXTS[kind].format(numbered(1 + nth))))
        rows.append(ReplyRow(BOT, 1000 + nth, "sent", 50 + nth))
    told = {update.number: 1 for update in updates if update.kind == "tell"}
    return History(updates, sends, Rows(frozenset(update.key for update in updates), told, rows))


def without_send(history: History, nth: int) -> History:
    """The nth message never reached Telegram."""
    return replace(history, sends=[send for at, send in enumerate(history.sends) if at != nth])


def said_twice(history: History, nth: int, *, earlier: float) -> History:
    """An unsettled copy of the nth message came that much before it."""
    send = history.sends[nth]
    return replace(history, sends=[*history.sends, replace(send, at=send.at - earlier, message_id=900)])


def with_rows(history: History, **changes: object) -> History:
    """Another database."""
    return replace(history, rows=replace(history.rows, **changes))  # type: ignore[arg-type]


def killed(history: History, at: float, *, may_double: int = 20, target: str = "dm-1") -> History:
    """Something was broken for a second."""
    return replace(history, disturbances=[*history.disturbances, Disturbance(target, at, at + 1, may_double)])
