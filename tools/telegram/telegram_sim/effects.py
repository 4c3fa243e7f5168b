"""The log of every call and what became of it: the oracle of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from telegram_sim.bounded import BoundedLog
from telegram_sim.wire import to_json


@dataclass
class Effect:
    """One call: `status` says what happened, `answered` whether the client could know."""

    seq: int
    at: float
    bot_id: int
    method: str
    chat_id: int | None
    message_id: int | None
    params: Mapping[str, Any]
    status: str
    error_code: int | None
    answered: bool
    description: str | None = None
    fault: str | None = None
    via: str = "request"


@dataclass(frozen=True)
class EffectFilter:
    """Which effects a reader asks for; None means any."""

    bot_id: int | None = None
    chat_id: int | None = None
    method: str | None = None

    def admits(self, effect: Effect) -> bool:
        """True when every given field agrees; method names compare without case."""
        return (
            (self.bot_id is None or effect.bot_id == self.bot_id)
            and (self.chat_id is None or effect.chat_id == self.chat_id)
            and (self.method is None or effect.method.lower() == self.method.lower())
        )


class EffectLog:
    """Append-only: the file holds all, the memory the newest."""

    def __init__(self, keep: int, path: Path | None = None) -> None:
        self.log: BoundedLog[Effect] = BoundedLog(keep)
        self.file: BinaryIO | None = path.open("ab", buffering=0) if path else None

    def append(self, effect: Effect) -> Effect:
        """Numbers the effect and writes it; without a buffer, so that a reader can follow and nothing is lost."""
        effect.seq = self.log.append(effect)
        if self.file:
            self.file.write(to_json(vars(effect)) + b"\n")
        return effect

    def read(self, since: int, wanted: EffectFilter, limit: int) -> tuple[list[Effect], int]:
        """Matching effects after `since`, and the number to ask from next time."""
        found: list[Effect] = []
        for effect in self.log.since(since):
            if wanted.admits(effect):
                found.append(effect)
                if len(found) >= limit:
                    return found, effect.seq
        return found, self.log.last

    def clear(self) -> None:
        """Forgets what is in memory; the file is append-only and stays."""
        self.log.clear()

    def close(self) -> None:
        """Closes the file."""
        if self.file:
            self.file.close()
