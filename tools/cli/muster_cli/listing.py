"""One way to show a list of the API's: as JSON a line each, as a table, or what to do where it is empty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from muster_cli.client import Parameters
from muster_cli.errors import OK
from muster_cli.options import Context


def listed(
    context: Context,
    path: str,
    columns: Sequence[str],
    row: Callable[[dict[str, Any]], Sequence[object]],
    *,
    empty: Sequence[str],
    wanted: Parameters | None = None,
) -> int:
    """As many as --limit says; `empty` are the lines that are said in place of a table."""
    screen, limit = context.screen, context.options.limit or None
    found = context.client.pages(path, wanted, limit)
    if screen.as_json:
        return screen.lines(found)
    rows = list(found)
    if not rows:
        for line in empty:
            screen.note(line)
        return OK
    screen.table(columns, (row(each) for each in rows))
    screen.more(len(rows), limit)
    return OK
