"""What an attempt's end means for its delivery, its group, its bot and its broadcast: table E as one pure function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from common.congestion import BOT_WIDE
from common.telegram import errors
from common.telegram.errors import TelegramError

MAX_NOT_SENT = 60.0  # seconds between attempts while Telegram can't be reached
MOST_MOVES = 3  # attempts that may end with the group's new id


@dataclass(frozen=True, slots=True)
class Progress:
    """Which of a delivery's messages an attempt was for, counted from 0."""

    part: int = 0
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """`state` is the delivery's; the rest says what else follows, and nothing where it is empty. `unsent`: the attempt
    surely did nothing, and is not counted among those that other rules ask for. `told` are Telegram's words.
    """

    state: str
    reason: str | None = None
    delay: timedelta = timedelta()
    group_failed: bool = False
    group_health: str | None = None
    group_lost: bool = False
    chat_flood: timedelta | None = None
    bot_flood: timedelta | None = None
    migrated_to: int | None = None
    unsent: bool = False
    pause: bool = False
    told: str | None = None


def onward(decision: Decision, progress: Progress) -> tuple[Decision, int]:
    """With how many parts are done after it: what was sent of several parts is `pending` again for the next."""
    if decision.state != "sent":
        return decision, progress.part
    if progress.part + 1 < progress.parts:
        decision = replace(decision, state="pending", delay=timedelta())
    return decision, progress.part + 1


def backoff(tries: int) -> timedelta:
    """Longer each time, as far as a minute."""
    return timedelta(seconds=min(2.0 ** min(tries, 10), MAX_NOT_SENT))


def decide(  # noqa: C901 (table E, row by row)
    error: TelegramError | None, *, attempts: int = 1, unsent: int = 0, once_more: bool = False
) -> Decision:
    """`attempts` counts this one, and `unsent` those in a row before it that did nothing; `once_more`: what is
    ambiguous is sent again.
    """
    match error:
        case None:
            return Decision("sent")
        case errors.SentDeleted():
            return Decision("sent", error.outcome)
        case errors.Held(retry_after=seconds):
            return Decision("pending", error.outcome, timedelta(seconds=seconds), unsent=True)
        case errors.Flood(retry_after=seconds):
            wait = timedelta(seconds=seconds)
            if wait >= BOT_WIDE:
                return Decision("pending", error.outcome, wait, bot_flood=wait, unsent=True)
            return Decision("pending", error.outcome, wait, chat_flood=wait, unsent=True)
        case errors.NotSent():
            return Decision("pending", error.outcome, backoff(unsent + 1), unsent=True)
        case errors.Unknown():
            return Decision(
                "pending" if once_more else "unknown", error.outcome, timedelta(seconds=1 if once_more else 0)
            )
        case errors.Migrated(chat_id=chat_id):  # again and again: no fault of the group's, whose row says where it is
            return Decision("pending" if attempts < MOST_MOVES else "failed", error.outcome, migrated_to=chat_id)
        case errors.TokenRevoked():
            return Decision(
                "pending", error.outcome, timedelta(seconds=1), unsent=True
            )  # waits for the bot to have a good one
        case errors.BadContent() | errors.MessageGone():  # a send names no message but the original of a copy
            return Decision("failed", str(error), pause=True)
        case errors.TopicGone():  # the message's own choice: the group takes others
            return Decision("failed", error.outcome, told=str(error))
        case _:
            health, lost = "degraded" if isinstance(error, errors.NoRights) else None, isinstance(error, errors.Gone)
            return Decision(
                "failed", error.outcome, group_failed=True, group_health=health, group_lost=lost, told=str(error)
            )
