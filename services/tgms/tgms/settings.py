"""What the brain can be told."""

from __future__ import annotations

from common.settings import TelegramSettings, TokenKeySettings, WebhookKeySettings, WorkerSettings
from pydantic import Field


class TgmsSettings(WorkerSettings, TelegramSettings, TokenKeySettings, WebhookKeySettings):
    """The lease decides how soon another process takes over after a kill."""

    lease_ttl: float = Field(default=5.0, gt=0.5)  # seconds
    relay_interval: float = Field(default=0.2, gt=0)  # seconds between looks at an empty outbox
    inbox_days: int = Field(default=8, ge=7)  # an update's mark is kept at least 7 days (reliability P2)
