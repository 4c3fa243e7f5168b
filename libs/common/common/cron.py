"""When something that comes again and again is due: cron's five fields in a time zone, as Debian's cron has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from common.clock import utc_now

LONGEST: Final = 100  # characters of an expression
_NEVER: Final = "this date never comes"
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_NOT_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})  # what they mean is each machine's own affair


class CronError(ValueError):
    """Its text says what can't be read, and quotes nothing."""


class Cron:
    """CronError for what can't be read, or never comes."""

    def __init__(self, expression: str, timezone: str) -> None:
        self.zone = zone(timezone)
        self._expression = expression
        if len(expression) > LONGEST or len(expression.split()) != 5:
            raise CronError("give five fields: minute, hour, day of month, month, day of week")
        if next(self.after(utc_now()), None) is None:
            raise CronError(_NEVER)

    def after(self, when: datetime) -> Iterator[datetime]:
        """Every occurrence after that moment, in UTC."""
        last = when
        try:
            for found in CronSim(self._expression, when.astimezone(self.zone)):
                # In an hour that comes twice it may answer with the first of the two, which is over.
                at = found.astimezone(UTC)
                if at > last:
                    last = at
                    yield at
        except CronSimError as error:
            bad = str(error).removeprefix("Bad ")
            minute, hour, day, _, weekday = self._expression.split()
            never = bad == "day-of-month" and _reads(f"{minute} {hour} {day} * {weekday}")
            raise CronError(_NEVER if never else f"can't read the field: {bad}") from None
        except (AssertionError, TypeError, ValueError, OverflowError):  # of its parser, for a few odd combinations
            raise CronError("can't read this combination") from None


def _reads(expression: str) -> bool:
    try:
        CronSim(expression, utc_now())
    except CronSimError:
        return False
    return True


def zone(name: str) -> ZoneInfo:
    """CronError for a name that the time zone database lacks."""
    if _ZONE.fullmatch(name) and name not in _NOT_ZONES:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError, ValueError):
            pass
    raise CronError("is no name of the time zone database, like Europe/Berlin")
