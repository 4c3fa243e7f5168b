"""What the sender can be told."""

from __future__ import annotations

from common.settings import WorkerSettings


class SenderSettings(WorkerSettings):
    """Nothing of its own yet: pacing comes with broadcasts."""
