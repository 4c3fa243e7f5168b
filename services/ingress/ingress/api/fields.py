"""Kinds of fields that several resources share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
)

from ingress.rules import shapes

BIGINT: Final = 2**63 - 1
_LONGEST: Final = 256 * 1024  # characters, more than a body has


class Request(BaseModel):
    """What is sent: nothing that is not known, and each thing as the kind of JSON that OpenAPI says."""

    # Only a text with a limit is looked through by pydantic, which then refuses half a surrogate pair: JSON can name
    # one, UTF-8 can't carry it, and so nothing could keep or send it.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, strict=True, str_max_length=_LONGEST
    )


class Answer(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True)


def storable(text: str) -> str:
    """PostgreSQL keeps no NUL."""
    if "\0" in text:
        raise ValueError("must not contain the character NUL")
    return text


def _written(value: Any) -> Any:
    if not isinstance(value, str) or ":" not in value:  # pydantic takes numbers, of which nobody knows the unit
        raise ValueError("must be a date and time with its offset, like 2026-12-01T09:00:00+01:00")
    return value


def _kept(moment: datetime) -> datetime:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie within the years 1 to 9999 in UTC") from None
    return moment


Moment: TypeAlias = Annotated[AwareDatetime, Strict(strict=False), BeforeValidator(_written), AfterValidator(_kept)]
Text: TypeAlias = Annotated[str, AfterValidator(storable)]
Id: TypeAlias = Annotated[int, Strict(), Field(ge=1, le=BIGINT)]
ChatNumber: TypeAlias = Annotated[int, Strict(), Field(ge=-BIGINT, le=BIGINT)]
Tag: TypeAlias = Annotated[str, StringConstraints(pattern=shapes.TAG)]
Name: TypeAlias = Annotated[Text, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
