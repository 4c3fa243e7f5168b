"""The only callers of the wall clock: everything else is given a time or asks the database."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """An aware datetime; a naive one never enters the house."""
    return datetime.now(UTC)
