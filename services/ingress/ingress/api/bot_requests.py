"""What is asked of bots; a token is in no repr, no dump and no error of these."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Self, TypeAlias

from common import bot_token
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, Strict, WithJsonSchema, model_validator

from ingress.api.fields import Request
from ingress.rules.links import public_https
from ingress.rules.refusals import Misfit
from ingress.webhook import PATH


def _whole(token: SecretStr) -> SecretStr:
    if bot_token.bot_of(token.get_secret_value()) is None:
        raise ValueError("is no whole bot token, such as 123456789:AA… of @BotFather")
    return token


def _address(webhook: bool | str) -> bool | str:  # noqa: FBT001 (a field's own type)
    # Whoever is posted to learns the bot's secret: only the door's own path, on whatever host leads to it.
    if isinstance(webhook, str) and not public_https(webhook).endswith(PATH):
        raise ValueError(f"must end with {PATH}")
    return webhook


Token: TypeAlias = Annotated[
    SecretStr,
    Field(strict=True),
    AfterValidator(_whole),
    WithJsonSchema({"type": "string", "pattern": bot_token.FORM, "writeOnly": True, "format": "password"}),
]
PerSecond: TypeAlias = Annotated[int, Field(ge=1, le=1000, strict=True, description="Sends a second, of broadcasts.")]
_EXAMPLE = "123456789:AAExampleExampleExampleExampleExample"


class _Told(BaseModel):
    """A request as it is compared with another under the same Idempotency-Key."""

    digest: str
    rest: dict[str, Any]


class _WithToken(Request):
    token: Token

    def told(self) -> BaseModel:
        """With the token's digest: in a dump all tokens look the same."""
        digest = hashlib.sha256(self.token.get_secret_value().encode()).hexdigest()
        return _Told(digest=digest, rest=self.model_dump(exclude={"token"}))


class NewBot(_WithToken):
    """The token is checked with getMe and kept encrypted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": _EXAMPLE, "webhook": True, "per_second": 30}]})

    webhook: Annotated[
        Annotated[bool, Strict()] | str,
        Field(
            union_mode="left_to_right",
            description="true: at this API's own public address (MUSTER_PUBLIC_URL); false: left as it is; or another "
            f"https address that leads here and ends with {PATH}.",
        ),
        AfterValidator(_address),
    ] = True
    per_second: PerSecond | None = None


class NewToken(_WithToken):
    """Of the same bot, as @BotFather gives it after a revocation."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": _EXAMPLE}]})


class BotChanges(Request):
    """Only what is given is changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"per_second": 20}, {"enabled": False}]})

    per_second: PerSecond | None = None
    enabled: Annotated[
        bool | None,
        Field(strict=True, description="false: its deliveries wait; who writes to it is still answered."),
    ] = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        for name in sorted(self.model_fields_set):
            if getattr(self, name) is None:
                raise Misfit(name, "null is no value here: leave it out to keep what is there")
        return self
