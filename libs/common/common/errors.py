"""Errors that say what to do, and hold the data to do it with. A class's docstring is its message."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any


class MusterError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class JobError(MusterError):
    """A job could not be finished."""


class RetryLater(JobError):  # noqa: N818 (the name is the instruction)
    """The job is good but its time has not come.

    `counts` is False where nothing was tried (a flood, an earlier update still under way), so no attempt is used up.
    """

    def __init__(self, delay: timedelta, reason: str, *, counts: bool = True) -> None:
        super().__init__(f"{reason}; again in {delay.total_seconds():g} s")
        self.delay = delay
        self.reason = reason
        self.counts = counts


class HandBack(JobError):  # noqa: N818 (the name is the instruction)
    """This process stops: the broker gives the job to another one at once."""


class Reject(JobError):  # noqa: N818 (the name is the instruction)
    """The job can never succeed: it goes to the dead letters with the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BrokerUnavailable(MusterError):  # noqa: N818 (a state, not a fault of the caller)
    """The broker did not confirm in time: the message may or may not be in the queue."""


class Unroutable(MusterError):  # noqa: N818 (the broker's own word for it)
    """The broker has no such queue: run `python -m common topology`."""


class StoreUnavailable(MusterError):  # noqa: N818 (a state, not a fault of the caller)
    """PostgreSQL did not answer in time or is going down."""


class LeaseLost(MusterError):  # noqa: N818 (a state, not a fault of the caller)
    """Another process acts now: the epoch in the database is not ours."""


class ConfigurationError(MusterError):
    """A setting is missing or can't be used."""


class AppError(MusterError):
    """The request can't be done as it was asked.

    `code` never changes and is what clients match on; `fields` are for them as well, `headers` for the answer.
    """

    def __init__(
        self, code: str, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.fields = fields
