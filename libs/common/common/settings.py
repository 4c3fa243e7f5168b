"""Settings that services share; each service subclasses what it needs. Names and meanings: docs/settings.md."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.errors import ConfigurationError

_MARGIN = 5.0  # seconds, for writing down how the last call ended


class Settings(BaseSettings):
    """Read from the environment only; secrets are SecretStr so that no repr shows them."""

    model_config = SettingsConfigDict(
        env_prefix="MUSTER_", extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @classmethod
    def load(cls) -> Self:
        """The settings of this process; ConfigurationError names every setting that is missing or wrong."""
        try:
            return cls()
        except ValidationError as error:
            raise ConfigurationError(_explain(cls, error)) from None


class DatabaseSettings(Settings):
    """Where the truth is; hosted providers' query parameters are understood or dropped (`store.dsn`)."""

    database_url: SecretStr = Field(validation_alias=AliasChoices("DATABASE_URL", "MUSTER_DATABASE_URL"))
    database_pool_max: int = Field(default=10, ge=1, le=200)  # connections
    database_timeout: float = Field(default=5.0, gt=0)  # seconds for one statement


class BrokerSettings(Settings):
    """Where jobs are carried: amqp:// or amqps://, one URL."""

    amqp_url: SecretStr = Field(validation_alias=AliasChoices("AMQP_URL", "MUSTER_AMQP_URL"))
    publish_timeout: float = Field(default=5.0, gt=0)  # seconds until a confirm


class WebhookKeySettings(Settings):
    """The keys that webhook secrets are derived from."""

    webhook_keys: SecretStr  # "2:<hex>,1:<hex>": the first is current, all are accepted


class TokenKeySettings(Settings):
    """The keys that bot tokens are encrypted with: every worker calls the Bot API, the ingress may do without."""

    encryption_keys: SecretStr  # "k2:<base64>,k1:<base64>": the first encrypts, all decrypt


class TelegramSettings(Settings):
    """The Bot API server; only configuration decides it, never a request."""

    telegram_api_url: str = Field(
        default="https://api.telegram.org",
        validation_alias=AliasChoices("TELEGRAM_API_URL", "MUSTER_TELEGRAM_API_URL"),
        pattern=r"^https?://[^/?#@]+$",
    )
    telegram_timeout: float = Field(default=20.0, gt=0, le=50)  # seconds for one answer


class WorkerSettings(DatabaseSettings, BrokerSettings):
    """What every worker has: its queue's prefetch, its health port and the time it may take to stop."""

    prefetch: int = Field(default=200, ge=1, le=1000)  # jobs in hand: one user's may wait without keeping others out
    concurrency: int = Field(default=20, ge=1, le=1000)  # jobs at work: also the bound on doubled sends at a kill
    grace: float = Field(default=45.0, gt=0)  # seconds to finish what is at work after SIGTERM: two slow calls
    health_host: str = "0.0.0.0"  # noqa: S104 (probes come from outside the pod)
    health_port: int = Field(default=9090, ge=0, le=65535)


class SpeakerSettings(WorkerSettings, TelegramSettings, TokenKeySettings):
    """A worker that says things at Telegram, where what was cut off may have been said."""

    @model_validator(mode="after")
    def _a_call_ends_within_the_grace(self) -> Self:
        if self.grace < self.telegram_timeout + _MARGIN:
            raise ValueError("MUSTER_GRACE must be 5 s more than MUSTER_TELEGRAM_TIMEOUT: a call is not to be cut off")
        return self


def _explain(settings: type[BaseSettings], error: ValidationError) -> str:
    lines = [
        f"{_variable(settings, e['loc'])}: {e['msg'].lower()}" if e["loc"] else e["msg"].removeprefix("Value error, ")
        for e in error.errors(include_input=False)
    ]
    return "settings can't be used:\n  " + "\n  ".join(lines)


def _variable(settings: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    name = str(location[0])
    return name if name.isupper() else f"{settings.model_config.get('env_prefix', '')}{name}".upper()
