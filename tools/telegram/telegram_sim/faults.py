"""Faults to order: which call suffers what, how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

# Whether the call takes effect under each kind of fault; a rule's own "effect" overrides it.
KINDS: Mapping[str, bool] = {
    "http_500": False,
    "restart_500": False,
    "http_502_html": False,
    "http_429": False,
    "http_429_html": False,
    "timeout_before": False,
    "timeout_after": True,
    "cut": True,
    "garbage": True,
    "unknown_fields": True,
    "reset": False,
    "sent_deleted": True,
    "error": False,
}


@dataclass
class FaultRule:
    """One fault; None matches anything, `times` None is for ever."""

    kind: str
    method: str | None = None
    bot_id: int | None = None
    chat_id: int | None = None
    probability: float = 1.0
    times: int | None = None
    effect: bool | None = None
    retry_after: int = 5
    error_code: int = 400
    description: str = "Bad Request"
    parameters: dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    @property
    def takes_effect(self) -> bool:
        """Whether the call happens all the same."""
        return KINDS[self.kind] if self.effect is None else self.effect

    def matches(self, method: str, bot_id: int, chat_id: int | None) -> bool:
        """True when the rule is about such a call and not used up."""
        return (
            (self.times is None or self.hits < self.times)
            and (self.method is None or self.method.lower() == method.lower())
            and (self.bot_id is None or self.bot_id == bot_id)
            and (self.chat_id is None or self.chat_id == chat_id)
        )


class FaultBook:
    """The rules in force; the first that matches and whose dice fall so is the one."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.rules: list[FaultRule] = []

    def draw(self, method: str, bot_id: int, chat_id: int | None) -> FaultRule | None:
        """The fault of this call, counted."""
        for rule in self.rules:
            if rule.matches(method, bot_id, chat_id) and self.rng.random() < rule.probability:
                rule.hits += 1
                return rule
        return None
