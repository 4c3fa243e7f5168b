"""Kinds of fields that several resources share."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints

BIGINT: Final = 2**63 - 1
HELD: Final = (
    "How many wait for more than their turn: `bot_off` until their bot is enabled or has a new token, `flood` as long "
    "as Telegram told it to, `later` for their send window or another attempt."
)


class Request(BaseModel):
    """What is sent: nothing that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Answer(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True)


def storable(text: str) -> str:
    """PostgreSQL keeps no NUL; half a surrogate pair is refused by pydantic itself."""
    if "\0" in text:
        raise ValueError("must not contain the character NUL")
    return text


Text: TypeAlias = Annotated[str, AfterValidator(storable)]
Id: TypeAlias = Annotated[int, Strict(), Field(ge=1, le=BIGINT)]
ChatNumber: TypeAlias = Annotated[int, Strict(), Field(ge=-BIGINT, le=BIGINT)]
Tag: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x20\x7f,](?:[^\x00-\x1f\x7f,]{0,62}[^\x00-\x20\x7f,])?$")
]
Name: TypeAlias = Annotated[Text, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
