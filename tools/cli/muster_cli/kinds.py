"""What options may hold, from text to what the API takes; argparse shows the ValueError's message."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_DURATION: Final = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?", re.ASCII)
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_BUTTON: Final = re.compile(r"(?P<text>.+?)\s*=\s*(?P<url>(?:https?|tg)://\S+)", re.DOTALL)
_CHAT: Final = re.compile(r"(-?\d{1,19}):(\d{1,19})", re.ASCII)
_LINK: Final = re.compile(r"https://t\.me/c/(\d{1,13})/(?:\d+/)?(\d{1,19})/?", re.ASCII)
_VARIABLE: Final = re.compile(r"([a-z_][a-z0-9_]{0,31})=(.*)", re.DOTALL)
_OF_ALL_CHANNELS: Final = 10**12  # Bot API: a supergroup's id is -10^12 less the number in its links


def text(value: str) -> str:
    """What is no UTF-8 on the command line arrives as half surrogates, which JSON can't carry."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ArgumentTypeError("is not UTF-8") from None
    return value


def number(value: str) -> int:
    """An id, from 1."""
    if not re.fullmatch(r"[0-9]{1,19}", value) or not 0 < int(value) < 2**63:
        raise ArgumentTypeError(f"{value!r} is no id")
    return int(value)


def media(value: str) -> int:
    """A file's number, `7` or `media:7`."""
    return number(value.removeprefix("media:"))


def numbers(value: str) -> list[int]:
    """One id, or several with commas between."""
    return [number(each) for each in value.split(",")]


def chat(value: str) -> int:
    """A group's own id at Telegram, which is negative."""
    if not re.fullmatch(r"-[0-9]{1,18}", value):
        raise ArgumentTypeError(f"{value!r} is no chat id of a group; those are like -1001234567890")
    return int(value)


def tags(value: str) -> list[str]:
    """One tag, or several with commas between, which no tag holds."""
    found = [each.strip() for each in text(value).split(",")]
    if not all(found):
        raise ArgumentTypeError("a tag is empty")
    return found


def among(what: str, choices: Sequence[str]) -> Callable[[str], list[str]]:
    """One of them, or several with commas between."""

    def read(value: str) -> list[str]:
        for each in value.split(","):
            if each not in choices:
                raise ArgumentTypeError(f"{each!r} is no {what}; there are {', '.join(choices)}")
        return value.split(",")

    return read


def duration(value: str) -> int:
    """Seconds, from `90`, `90s`, `15m`, `1h30m` or `2d`."""
    found = _DURATION.fullmatch(value)
    if not found or not any(found.groups()):
        raise ArgumentTypeError(f"{value!r} is no duration; write 90s, 15m, 1h30m or 2d")
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def moment(value: str, now: datetime | None = None) -> datetime:
    """`2026-12-01T09:00+01:00`, without offset by this machine's clock; `09:00` the next one; `+2h30m` from now."""
    now = now or datetime.now(UTC).astimezone()
    try:
        if value.startswith("+"):
            return (now + timedelta(seconds=duration(value[1:]))).replace(microsecond=0)
        if clock := _CLOCK.fullmatch(value):
            return _next(int(clock[1]), int(clock[2]), now)
        found = datetime.fromisoformat(value)
        return found.astimezone() if found.tzinfo is None else found
    except (ValueError, OverflowError):
        what = "write 2026-12-01T09:00+01:00, 2026-12-01T09:00, 09:00 or +2h30m"
        raise ArgumentTypeError(f"{value!r} is no time; {what}") from None


def past(value: str, now: datetime | None = None) -> datetime:
    """As `moment`, looking back: `2h30m` ago, `09:00` the last one."""
    now = now or datetime.now(UTC).astimezone()
    try:
        if clock := _CLOCK.fullmatch(value):
            return _last(int(clock[1]), int(clock[2]), now)
        if _DURATION.fullmatch(value):
            return now - timedelta(seconds=duration(value))
        found = datetime.fromisoformat(value)
        return found.astimezone() if found.tzinfo is None else found
    except (ValueError, OverflowError):
        what = "write 2026-12-01T09:00+01:00, 2026-12-01, 09:00, or 2h30m for so long ago"
        raise ArgumentTypeError(f"{value!r} is no time; {what}") from None


def _last(hour: int, minute: int, now: datetime) -> datetime:
    wall = now.replace(tzinfo=None, hour=hour, minute=minute, second=0, microsecond=0)
    today = wall.astimezone()
    return today if today <= now else (wall - timedelta(days=1)).astimezone()


def _next(hour: int, minute: int, now: datetime) -> datetime:
    """By the wall clock of this machine, also where its offset changes between."""
    wall = now.replace(tzinfo=None, hour=hour, minute=minute, second=0, microsecond=0)
    today = wall.astimezone()
    return today if today > now else (wall + timedelta(days=1)).astimezone()


def button(value: str) -> dict[str, str]:
    """`text=address`; the text may hold `=` too."""
    found = _BUTTON.fullmatch(text(value))
    if not found:
        raise ArgumentTypeError(f"{value!r} is no button; write 'Read more=https://example.org'")
    return found.groupdict()


def origin(value: str) -> dict[str, int]:
    """The message to be copied: `CHAT:MESSAGE`, or its link in a private supergroup."""
    if found := _CHAT.fullmatch(value):
        return {"from_chat_id": int(found[1]), "message_id": number(found[2])}
    if found := _LINK.fullmatch(value):
        return {"from_chat_id": -_OF_ALL_CHANNELS - int(found[1]), "message_id": number(found[2])}
    raise ArgumentTypeError(f"{value!r} is no message; write -1001234567890:42 or https://t.me/c/1234567890/42")


def window(value: str) -> dict[str, str]:
    """`09:00-21:00`."""
    opens, _, closes = value.partition("-")
    if not (_CLOCK.fullmatch(opens) and _CLOCK.fullmatch(closes)):
        raise ArgumentTypeError(f"{value!r} is no window; write 09:00-21:00")
    return {"from": opens.zfill(5), "to": closes.zfill(5)}


def variable(value: str) -> tuple[str, Any]:
    """`name=value`."""
    found = _VARIABLE.fullmatch(text(value))
    if not found:
        raise ArgumentTypeError(f"{value!r} is no variable; write name=value, with a name of small letters, 0-9 and _")
    return found[1], found[2]


def yes_or_no(value: str) -> bool:
    """`yes` or `no`."""
    if value not in {"yes", "no"}:
        raise ArgumentTypeError("is yes or no")
    return value == "yes"


def count(value: str) -> int:
    """From 0."""
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise ArgumentTypeError(f"{value!r} is no number")
    return int(value)


def tries(value: str) -> int:
    """From 1."""
    found = count(value)
    if not 1 <= found <= 1000:
        raise ArgumentTypeError("is 1 to 1000")
    return found


def seconds(value: str) -> float:
    """More than none."""
    try:
        found = float(value)
    except ValueError:
        found = 0.0
    if not 0 < found <= 3600:
        raise ArgumentTypeError(f"{value!r} is no number of seconds")
    return found
