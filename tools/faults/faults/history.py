"""What one run leaves behind, as plain facts: what was written, what was answered, what was said, what was broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["start", "ask", "tell"]
UpdateKey: TypeAlias = tuple[int, int]  # bot and update id


@dataclass(frozen=True, slots=True)
class Attempt:
    """One webhook request with an update; status 0 is no answer at all."""

    at: float  # Unix seconds
    status: int


@dataclass(frozen=True, slots=True)
class Update:
    """One thing a user wrote; `number` is unique in the run and comes back in a reply or in a row."""

    bot_id: int
    update_id: int
    user_id: int
    number: int
    kind: Kind
    attempts: tuple[Attempt, ...] = ()

    @property
    def key(self) -> UpdateKey:
        """As the inbox knows it."""
        return self.bot_id, self.update_id

    @property
    def acked_at(self) -> float | None:
        """When the first request began that was answered 2xx."""
        return next((attempt.at for attempt in self.attempts if 200 <= attempt.status <= 299), None)

    @property
    def failed_before(self) -> bool:
        """Whether a request for it went wrong: it had to be brought again."""
        return any(not 200 <= attempt.status <= 299 for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class Send:
    """One message that Telegram took from a bot."""

    at: float
    bot_id: int
    user_id: int
    message_id: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """What the database says of one reply."""

    bot_id: int
    update_id: int
    state: str
    message_id: int | None


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One trial: what was broken, from when to when its port answered again; sends may be in flight at its start."""

    target: str
    at: float
    back: float
    may_double: int  # sends that can be in flight in what was broken, or in what lost its connection by it


@dataclass(frozen=True)
class Rows:
    """The database at the end of a run, for the run's bots alone."""

    inbox: frozenset[UpdateKey] = frozenset()
    told: Mapping[int, int] = field(default_factory=dict)  # the number in a feedback text, how many rows
    replies: Sequence[ReplyRow] = ()
    dead_letters: int = 0
    quarantine: int = 0
    outbox: int = 0


@dataclass(frozen=True)
class History:
    """All of it."""

    updates: Sequence[Update]
    sends: Sequence[Send]
    rows: Rows
    disturbances: Sequence[Disturbance] = ()
    queued: int = 0  # messages left in any queue
    others: frozenset[UpdateKey] = frozenset()  # updates that are no user's words: duplicates of none, poison
