"""What keeps messages back besides their bots' rates: a bot that is off, Telegram's flood control, a later hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import asyncpg

# Of a bot `b`: whether nothing is sent by it until somebody turns it on, and how many seconds Telegram said to wait.
OFF: Final = "(b.state <> 'active' OR NOT b.enabled)"
QUIET: Final = "greatest(0, extract(epoch FROM b.flood_until - now()))::float8"


@dataclass(frozen=True, slots=True)
class Holdups:
    """`by_reason` and `by_bot` count groups; `quiet` is seconds by bot; in `opens` seconds the last one may get it."""

    by_reason: dict[str, int] = field(default_factory=dict)
    by_bot: dict[int, int] = field(default_factory=dict)
    quiet: dict[int, float] = field(default_factory=dict)
    opens: float = 0.0

    @property
    def endless(self) -> bool:
        """Nobody can say when the last one is sent."""
        return "bot_off" in self.by_reason

    @classmethod
    def of(cls, rows: Iterable[asyncpg.Record]) -> Holdups:
        """By bot: `n` groups, of which `later` wait until `opens`; whether it is `off`, for how long `quiet`."""
        counts, held, quiet, opens = Counter[str](), dict[int, int](), dict[int, float](), 0.0
        for row in rows:
            reason = "bot_off" if row["off"] else "flood" if row["quiet"] else None
            held[row["bot_id"]] = row["n"] if reason else row["later"]
            if held[row["bot_id"]]:
                counts[reason or "later"] += held[row["bot_id"]]
            quiet[row["bot_id"]] = row["quiet"] or 0.0
            opens = max(opens, row["opens"] or 0.0)
        return cls(dict(counts), held, quiet, opens)
