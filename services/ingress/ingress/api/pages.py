"""Lists come in pages; a cursor says where the next begins and is nobody's business but ours."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeAlias, TypeVar

from common.errors import AppError
from fastapi import Depends, Query
from pydantic import Field

from ingress.api.fields import BIGINT, Answer

ItemT = TypeVar("ItemT")
RowT = TypeVar("RowT")


class Page(Answer, Generic[ItemT]):
    """`next_cursor` is null on the last page."""

    items: list[ItemT]
    next_cursor: Annotated[str | None, Field(description="Give it as `cursor` for the next page.")]


class Place:
    """Where a page begins and how long it is."""

    def __init__(self, cursor: str | None, limit: int) -> None:
        self._cursor = cursor
        self.limit = limit

    def number(self, first: int) -> int:
        """`first` without a cursor; AppError for one that is none of ours."""
        if self._cursor is None:
            return first
        try:
            found = int(self.text(""))
        except ValueError:
            raise _strange() from None
        if not -BIGINT <= found <= BIGINT:
            raise _strange()
        return found

    def text(self, first: str) -> str:
        """As `number`."""
        if self._cursor is None:
            return first
        try:
            return base64.b64decode(self._cursor.encode() + b"==", altchars=b"-_", validate=False).decode("ascii")
        except ValueError:
            raise _strange() from None

    def page(self, rows: Sequence[RowT], show: Callable[[RowT], ItemT], key: Callable[[RowT], object]) -> Page[ItemT]:
        """Of rows that were asked for with one more than `limit`."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        return Page(items=[show(row) for row in shown], next_cursor=_cursor(key(shown[-1])) if more else None)


def _place(
    cursor: Annotated[str | None, Query(max_length=200, pattern="^[A-Za-z0-9_-]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Place:
    return Place(cursor, limit)


Asked: TypeAlias = Annotated[Place, Depends(_place)]


def _cursor(place: object) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).rstrip(b"=").decode()


def _strange() -> AppError:
    return AppError("invalid_cursor", 422, "this cursor was not given by this list")
