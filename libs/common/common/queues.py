"""The three queues, their retry ladders and their dead letters: the only place where a queue's name is spelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter

from common import jobs

JobT = TypeVar("JobT", bound=jobs.Job)

# One queue a step: a per-message TTL in one queue holds short delays behind long ones (measured: 1 s left after 6 s).
RETRY_STEPS: Final = tuple(timedelta(seconds=s) for s in (1, 5, 30, 120, 600))


@dataclass(frozen=True)
class Queue(Generic[JobT]):
    """A name and the only jobs that fit it; `publish(DM_QUEUE, <another queue's job>)` is a type error."""

    name: str
    adapter: TypeAdapter[JobT]

    @property
    def dead(self) -> str:
        """Where the broker itself puts what was delivered too often."""
        return f"{self.name}.dead"

    def retry(self, step: timedelta) -> str:
        """The ladder's queue that gives a job back after `step`."""
        return f"{self.name}.retry.{_label(step)}"


GROUP_MESSAGE_QUEUE: Final[Queue[Any]] = Queue("group_message_queue", TypeAdapter(jobs.GroupMessageJob))
TGMS_QUEUE: Final[Queue[Any]] = Queue("tgms_queue", TypeAdapter(jobs.TgmsJob))
DM_QUEUE: Final[Queue[jobs.DmJob]] = Queue("dm_queue", TypeAdapter(jobs.DmJob))
ALL_QUEUES: Final[tuple[Queue[Any], ...]] = (GROUP_MESSAGE_QUEUE, TGMS_QUEUE, DM_QUEUE)


def retry_step(delay: timedelta) -> timedelta | None:
    """The smallest step that is not too early; None where the delay is longer than the ladder."""
    return next((step for step in RETRY_STEPS if step >= delay), None)


def all_names() -> Iterator[str]:
    """Every queue that the topology step declares."""
    for queue in ALL_QUEUES:
        yield queue.name
        yield queue.dead
        yield from (queue.retry(step) for step in RETRY_STEPS)


def _label(step: timedelta) -> str:
    seconds = int(step.total_seconds())
    return f"{seconds}s" if seconds < 60 else f"{seconds // 60}m"
