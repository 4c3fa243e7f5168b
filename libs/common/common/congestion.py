"""Whose flood a 429 is, and what a bot's flood does to its rate: multiplicative decrease, as TCP has it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from common.ids import BotId

BOT_WIDE: Final = timedelta(seconds=60)  # a retry_after from here on speaks of the whole bot (telegram.md, E)
CHATS: Final = 3  # so many chats that are refused within SPAN are their bot's flood (telegram.md, E)
SPAN: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 429 that Telegram has just given; without a chat it was no message."""

    bot_id: BotId
    chat_id: int | None
    retry_after: timedelta


@dataclass(frozen=True, slots=True)
class ChatFlood:
    """A refusal that was its chat's alone so far, and until when the chat waits."""

    chat_id: int
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A bot as its row has it: `rate` is what it may send a second now."""

    rate: int
    flood_until: datetime | None = None
    chats: Sequence[ChatFlood] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`flood_until` is None where the bot goes on, `rate` where it stays; `reason` says why the bot is stopped."""

    chats: Sequence[ChatFlood]
    flood_until: datetime | None = None
    rate: int | None = None
    reason: str | None = None


def judge(standing: Standing, refusals: Sequence[Refusal], now: datetime) -> Verdict:
    """A flood is one event however many requests it meets: the rate is halved at its first, those that were under way
    only prolong it (RFC 6582 has the same for a window's losses).
    """
    waits = {r.retry_after for r in refusals if r.chat_id is not None or r.retry_after >= BOT_WIDE}
    if standing.flood_until is not None and standing.flood_until > now:
        longest = max((now + wait for wait in waits), default=standing.flood_until)
        return Verdict((), max(standing.flood_until, longest), reason="429 during a flood")
    if max(waits, default=timedelta()) >= BOT_WIDE:
        return Verdict((), now + max(waits), _halved(standing.rate), f"retry_after of {BOT_WIDE.seconds} s or more")
    chats = _latest(standing.chats, refusals, now)
    if len(chats) >= CHATS:
        until = max(chat.until for chat in chats)
        return Verdict((), until, _halved(standing.rate), f"429s in {CHATS} chats within {SPAN.seconds} s")
    return Verdict(chats)


def _latest(known: Sequence[ChatFlood], refusals: Sequence[Refusal], now: datetime) -> tuple[ChatFlood, ...]:
    """Of the last few seconds, one for each chat: a chat that is refused again is one chat."""
    chats = {chat.chat_id: chat for chat in known if now - chat.at <= SPAN}
    for refusal in refusals:
        if refusal.chat_id is not None:
            before = chats.get(refusal.chat_id)
            until = max(now + refusal.retry_after, before.until if before else now)
            chats[refusal.chat_id] = ChatFlood(refusal.chat_id, now, until)
    return tuple(chats.values())


def _halved(rate: int) -> int:
    """Never nothing: the way back is to be found by sending."""
    return max(1, rate // 2)
