"""What the ingress can be told; nothing is read before the first request needs it."""

from __future__ import annotations

from common.settings import BrokerSettings, DatabaseSettings, Settings, TelegramSettings, WebhookKeySettings
from pydantic import Field, SecretStr


class IngressSettings(DatabaseSettings, BrokerSettings, WebhookKeySettings, TelegramSettings):
    """The door's own: its pool is small, for instances are many (vercel.md §5), and its time box short."""

    database_pool_max: int = Field(default=5, ge=1, le=200)
    database_timeout: float = Field(default=2.0, gt=0)  # seconds
    publish_timeout: float = Field(default=1.0, gt=0)  # seconds: then the outbox takes the job
    media_quota: int = Field(default=1024, ge=1)  # MiB of files that one key's owner may keep
    max_concurrent: int = Field(default=512, ge=1)  # webhooks handled at once; more are told to come back
    # For operations on bots alone; without them those answer 503 and everything else works.
    encryption_keys: SecretStr | None = None
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*[^\s/?#@])?$")
    telegram_timeout: float = Field(default=8.0, gt=0, le=50)  # seconds: a request makes three calls at most


class ServerSettings(Settings):
    """Where `python -m ingress` listens; on Vercel the platform decides."""

    host: str = "0.0.0.0"  # noqa: S104 (a container's port is its interface)
    port: int = Field(default=8080, ge=0, le=65535)
    # None: nothing is served. A port of its own, for the other one is Telegram's and everybody's.
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    shutdown_grace: int = Field(default=20, ge=1)  # seconds for requests in flight after SIGTERM
