"""What the sender can be told."""

from __future__ import annotations

from common.settings import SpeakerSettings
from pydantic import Field


class SenderSettings(SpeakerSettings):
    """Jobs wait here for their slots, so many may be in hand; only those at Telegram are in doubt at a kill."""

    concurrency: int = Field(default=200, ge=1, le=1000)
