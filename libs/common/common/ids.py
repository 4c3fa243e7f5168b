"""Identifiers as types of their own, so that a chat is never passed where a user is meant."""

from __future__ import annotations

from typing import NewType

BotId = NewType("BotId", int)
ChatId = NewType("ChatId", int)
UserId = NewType("UserId", int)
UpdateId = NewType("UpdateId", int)
JobId = NewType("JobId", str)
Epoch = NewType("Epoch", int)


def update_job_id(bot_id: BotId, update_id: int) -> JobId:
    """The same for every redelivery of one update, in whatever process it arrives."""
    return JobId(f"tg:{bot_id}:{update_id}")
