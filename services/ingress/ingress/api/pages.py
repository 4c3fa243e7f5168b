"""Lists come in pages; a cursor says where the next begins and is nobody's business but ours."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeAlias, TypeVar

from common.errors import AppError
from fastapi import Depends, Query, Request
from pydantic import Field

from ingress.api.fields import BIGINT, Answer
from ingress.rules import shapes

ItemT = TypeVar("ItemT")
RowT = TypeVar("RowT")


class Page(Answer, Generic[ItemT]):
    """`next_cursor` is null on the last page."""

    items: list[ItemT]
    next_cursor: Annotated[str | None, Field(description="Give it as `cursor` for the next page.")]


class Place:
    """Where a page of `listed` begins, a list with its filters, and how long it is."""

    def __init__(self, listed: str, cursor: str | None, limit: int) -> None:
        self._listed = listed
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
            found = base64.b64decode(self._cursor.encode() + b"==", altchars=b"-_", validate=False).decode("ascii")
        except ValueError:
            raise _strange() from None
        listed, _, place = found.partition(":")
        if listed != self._listed:
            raise _strange()
        return place

    def page(self, rows: Sequence[RowT], show: Callable[[RowT], ItemT], key: Callable[[RowT], object]) -> Page[ItemT]:
        """Of rows that were asked for with one more than `limit`."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        return Page(items=[show(row) for row in shown], next_cursor=self._next(key(shown[-1])) if more else None)

    def _next(self, place: object) -> str:
        return base64.urlsafe_b64encode(f"{self._listed}:{place}".encode()).rstrip(b"=").decode()


def _place(
    request: Request,
    cursor: Annotated[
        str | None,
        Query(
            max_length=200,
            pattern=shapes.CURSOR,
            description="The page before's `next_cursor`, with the same filters; the first page without.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Items of a page.")] = 50,
) -> Place:
    asked = sorted(pair for pair in request.query_params.multi_items() if pair[0] not in {"cursor", "limit"})
    listed = hashlib.sha256(repr((request.url.path, asked)).encode()).hexdigest()[:8]
    return Place(listed, cursor, limit)


Asked: TypeAlias = Annotated[Place, Depends(_place)]


def _strange() -> AppError:
    return AppError("invalid_cursor", 422, "this cursor was not given by this list")
