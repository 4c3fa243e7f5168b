"""What the voice can be told."""

from __future__ import annotations

from common.settings import SpeakerSettings
from pydantic import Field


class DmSettings(SpeakerSettings):
    """How patient the bot is with one user."""

    concurrency: int = Field(default=50, ge=1, le=1000)  # many wait for their bot's turn
    commands_per_minute: int = Field(default=10, ge=1)  # of one user and bot; then one polite notice, then silence
