"""What the voice can be told."""

from __future__ import annotations

from common.settings import TelegramSettings, TokenKeySettings, WorkerSettings
from pydantic import Field


class DmSettings(WorkerSettings, TelegramSettings, TokenKeySettings):
    """How patient the bot is with one user."""

    commands_per_minute: int = Field(default=10, ge=1)  # of one user and bot; then one polite notice, then silence
