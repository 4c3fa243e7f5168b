"""What the voice can be told."""

from __future__ import annotations

from typing import Self

from common.settings import TelegramSettings, TokenKeySettings, WorkerSettings
from pydantic import Field, model_validator

_MARGIN = 5.0  # seconds, for writing down how the last call ended


class DmSettings(WorkerSettings, TelegramSettings, TokenKeySettings):
    """How patient the bot is with one user."""

    concurrency: int = Field(default=50, ge=1, le=1000)  # many wait for their bot's turn
    commands_per_minute: int = Field(default=10, ge=1)  # of one user and bot; then one polite notice, then silence

    @model_validator(mode="after")
    def _a_call_ends_within_the_grace(self) -> Self:
        if self.grace < self.telegram_timeout + _MARGIN:
            raise ValueError("MUSTER_GRACE must be 5 s more than MUSTER_TELEGRAM_TIMEOUT: a call cut off is made twice")
        return self
