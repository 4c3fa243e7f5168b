"""What a webhook is made of, as clients write and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self, TypeAlias

from common.addresses import public_https
from common.events import Kind
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from ingress.api.fields import BIGINT, Answer, Id, Moment, Request
from ingress.rules import shapes

_Url: TypeAlias = Annotated[
    str,
    AfterValidator(public_https),
    Field(description="https, port 443, a public host.", examples=["https://shop.example.com/muster"]),
]
_EventId: TypeAlias = Annotated[str, StringConstraints(pattern=shapes.EVENT)]
_Kinds: TypeAlias = Annotated[list[Kind], Field(min_length=1, max_length=20)]


class NewWebhook(Request):
    """Limited to the caller's bots where its key is, and to fewer where it says so."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"url": "https://hooks.shop.com/muster", "kinds": ["broadcast.finished", "delivery.failed"]}]
        }
    )

    url: _Url
    kinds: _Kinds
    bot_ids: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = None
    enabled: bool = True


class WebhookChanges(Request):
    """Only what is given is changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": True}]})

    url: _Url | None = None
    kinds: _Kinds | None = None
    enabled: bool | None = None


class SecretRotation(Request):
    """How long the secret so far signs as well."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86400, strict=True)] = 86400


class Replay(Request):
    """A moment, the event that others came after, or one event."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"since": "2026-01-31T09:00:00Z"}]})

    since: Moment | None = None
    after: _EventId | None = None
    event_id: _EventId | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if [self.since, self.after, self.event_id].count(None) != 2:
            raise ValueError("give since, after or event_id")
        if self.number > BIGINT:
            raise ValueError("there is no such event")
        return self

    @property
    def number(self) -> int:
        """Of the event that is named; 0 without one."""
        named = self.after or self.event_id
        return int(named[4:]) if named else 0


class WebhookAnswer(Answer):
    """`disabled_reason` where Muster disabled it; `old_until` while two secrets sign."""

    webhook_id: int
    url: str
    kinds: list[str]
    bot_ids: list[int] | None
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    old_until: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class MadeWebhook(WebhookAnswer):
    """With its secret, this once."""

    secret: Annotated[str, Field(examples=["whsec_…"])]


class WebhookDelivery(Answer):
    """One request: `status` is the last answer's, null where nobody answered."""

    delivery_id: int
    kind: str
    event_ids: list[str]
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    status: int | None
    reason: str | None
    created_at: datetime
    next_at: datetime | None
    settled_at: datetime | None


class Told(Answer):
    """On its way."""

    event_id: str


class Replayed(Answer):
    """`more_after` where there were more than 10,000: ask for those `after` it."""

    events: int
    more_after: str | None
