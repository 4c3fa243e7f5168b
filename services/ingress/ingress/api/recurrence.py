"""What a schedule is made of, as clients write and read it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from common.cron import LONGEST, Cron, zone
from common.store.schedules import Plan
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from ingress.api.content import Message
from ingress.api.fields import Answer, Moment, Name, Request
from ingress.api.messages import LONGEST_TTL, Recipients

_FIELDS = "Minute, hour, day of month, month, day of week, as Debian's cron reads them."


def _read(expression: str) -> str:
    Cron(expression, "UTC")  # a CronError is a ValueError
    return expression


_Expression = Annotated[
    str,
    StringConstraints(max_length=LONGEST, strip_whitespace=True),
    AfterValidator(_read),
    Field(description=_FIELDS, examples=["0 9 * * 1-5"]),
]
_Zone = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(lambda name: zone(name).key),
    Field(examples=["Europe/Berlin"]),
]
_Ttl = Annotated[int | None, Field(ge=1, le=LONGEST_TTL, description="What is unsent then expires.")]
_End = Annotated[Moment | None, Field(description="Nothing comes after it.")]
_Priority = Annotated[int, Field(ge=0, le=9, description="9 goes first.")]
_OnUnknown = Annotated[
    Literal["report", "resend_once"], Field(description="What follows a send that nobody knows the end of.")
]


class When(Request):
    """Dates to come."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cron": "0 9 * * 1-5", "timezone": "Europe/Berlin"}]})

    cron: _Expression
    timezone: _Zone = "UTC"
    ends_at: _End = None


class NewSchedule(When):
    """A message, whom it is for, and when; groups are chosen anew each time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Stand-up",
                    "cron": "0 9 * * 1-5",
                    "timezone": "Europe/Berlin",
                    "message": {"type": "text", "text": "Good morning, {{title}}!"},
                    "targets": {"tags": ["berlin"]},
                }
            ]
        }
    )

    name: Name
    message: Message
    targets: Recipients
    priority: _Priority = 5
    ttl_seconds: _Ttl = None
    on_unknown: _OnUnknown = "report"
    enabled: bool = True

    def plan(self, bot_ids: list[int] | None) -> Plan:
        """As the row keeps it, without its next date."""
        return Plan(
            self.name,
            self.cron,
            self.timezone,
            self.enabled,
            self.ends_at,
            None,
            self.targets.within(bot_ids),
            self.message.content(),
            self.priority,
            self.on_unknown,
            _interval(self.ttl_seconds),
        )


class ScheduleChanges(Request):
    """Only what is given is changed; `ends_at` and `ttl_seconds` can be null."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False}]})

    name: Name | None = None
    cron: _Expression | None = None
    timezone: _Zone | None = None
    ends_at: _End = None
    message: Message | None = None
    targets: Recipients | None = None
    priority: _Priority | None = None
    ttl_seconds: _Ttl = None
    on_unknown: _OnUnknown | None = None
    enabled: bool | None = None

    def onto(self, plan: Plan) -> Plan:
        """The plan with these changes; its bots stay those of the key that made it."""
        simple = {"name", "cron", "timezone", "priority", "on_unknown", "enabled"} & self.model_fields_set
        changes: dict[str, Any] = {n: v for n in simple if (v := getattr(self, n)) is not None}
        if "ends_at" in self.model_fields_set:
            changes["ends_at"] = self.ends_at
        if "ttl_seconds" in self.model_fields_set:
            changes["ttl"] = _interval(self.ttl_seconds)
        if self.message is not None:
            changes["content"] = self.message.content()
        if self.targets is not None:
            changes["targets"] = self.targets.within(plan.targets.bot_ids)
        return replace(plan, **changes)

    @property
    def moves(self) -> bool:
        """Whether the next date follows anew from them."""
        return bool({"cron", "timezone", "ends_at", "enabled"} & self.model_fields_set)


class Dates(Answer):
    """In the schedule's time zone, with its offset on that day."""

    next_dates: Annotated[list[datetime], Field(description="The next five; fewer where it ends before.")]


class ScheduleAnswer(Dates):
    """A schedule; without dates it is disabled or over."""

    schedule_id: int
    name: str
    cron: str
    timezone: str
    enabled: bool
    ends_at: datetime | None
    message: Annotated[dict[str, Any], Field(description="The Bot API call that each group gets.")]
    targets: dict[str, Any]
    priority: int
    ttl_seconds: int | None
    on_unknown: str
    created_by: str
    created_at: datetime
    updated_at: datetime


class PlacedSchedule(ScheduleAnswer):
    """With whom it would reach if it came now: a misspelt tag is seen when it is written, not when nobody gets it."""

    accepted: Annotated[int, Field(description="Groups that would get it now; they are chosen anew each time.")]
    unknown_tags: Annotated[list[str], Field(description="Chosen or excluded tags that no group has.")]


class RunAnswer(Answer):
    """One occurrence: the broadcast that it became, or why it was skipped."""

    due_at: datetime
    broadcast_id: int | None
    skipped: Annotated[str | None, Field(description="Why there is no broadcast.")]
    ran_at: datetime


def _interval(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
