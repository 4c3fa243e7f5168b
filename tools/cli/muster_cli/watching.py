"""Follows a broadcast to its end: a live picture on a terminal, lines or JSON elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from muster_cli import figures
from muster_cli.clean import clean
from muster_cli.client import PATIENT
from muster_cli.errors import GIVEN_UP, INTERRUPTED, PAUSED, UNREACHABLE, Failure
from muster_cli.options import Context
from muster_cli.progress import Progress

_QUIET: Final = 5.0  # seconds between lines at least, unless the state changes
_STYLES: Final = {"running": "cyan", "paused": "yellow", "cancelled": "red", "done": "green"}


def watch(context: Context, broadcast_id: int, interval: float) -> int:
    """The exit code: whether everybody has got it; Failure where its end is not waited for."""
    try:
        last = _follow(context, _documents(context, broadcast_id, interval))
    except KeyboardInterrupt:
        hints = [f"the broadcast goes on; muster broadcasts watch {broadcast_id}"]
        raise Failure(INTERRUPTED, "interrupted", hints=hints) from None
    if not context.screen.as_json:
        for step in last.next_steps():
            context.screen.note(f"next: {step}")
    return last.exit_code


def _follow(context: Context, documents: Iterator[dict[str, Any]]) -> Progress:
    if context.screen.as_json:
        return _as_json(context, documents)
    return _live(context, documents) if context.screen.lively else _lines(context, documents)


def _documents(context: Context, broadcast_id: int, interval: float) -> Iterator[dict[str, Any]]:
    """One each interval, the last one of the ended broadcast, or of one that is not waited for any longer."""
    limit = context.options.give_up_after
    until = math.inf if limit is None else time.monotonic() + limit
    hints = [f"the broadcast is not stopped; muster broadcasts watch {broadcast_id}"]
    late = Failure(GIVEN_UP, f"broadcast {broadcast_id} has not ended within {figures.span(limit or 0)}", hints=hints)
    while True:
        try:
            document = context.client.get(f"/api/broadcasts/{broadcast_id}", policy=replace(PATIENT, until=until))
        except Failure as failure:
            away = failure.exit_code == UNREACHABLE and time.monotonic() >= until
            raise late if away else failure from None
        yield document
        now, left = Progress.of(document), until - time.monotonic()
        if now.ended:
            return
        if now.stuck and not context.screen.lively:
            raise Failure(PAUSED, f"broadcast {broadcast_id} is {now.standing}", hints=now.way_on)
        if left <= 0:
            raise late
        time.sleep(min(interval, left))


def _as_json(context: Context, documents: Iterator[dict[str, Any]]) -> Progress:
    """A line for each change of anything but the clock's."""
    shown: Progress | None = None
    for document in documents:
        now = Progress.of(document)
        if now != shown:
            context.screen.document({name: value for name, value in document.items() if name != "message"})
            shown = now
    return _certain(shown)


def _lines(context: Context, documents: Iterator[dict[str, Any]]) -> Progress:
    shown, at = None, -_QUIET
    for document in documents:
        now, clock = Progress.of(document), time.monotonic()
        if shown is None or now.stage != shown.stage or now.ended or (now != shown and clock - at >= _QUIET):
            context.screen.line(now.line)
            if (shown is None or now.stage != shown.stage) and not now.stuck:
                for step in now.way_on:
                    context.screen.note(f"next: {step}")
            shown, at = now, clock
    return _certain(shown)


def _live(context: Context, documents: Iterator[dict[str, Any]]) -> Progress:
    last: Progress | None = None
    with context.screen.live("") as live:
        for document in documents:
            last = Progress.of(document)
            live.update(picture(last))
    return _certain(last)


def picture(now: Progress) -> RenderableType:
    """Name, state and bar; the figures; how far a recall or an edit is; and what a paused one waits for."""
    share = now.settled / now.total if now.total else 1.0 if now.ended else 0.0
    bar = ProgressBar(total=max(now.total, 1), completed=share * max(now.total, 1), width=None)
    first = Table.grid(padding=(0, 1, 0, 0), expand=True)
    first.add_column(no_wrap=True)
    first.add_column(ratio=1)
    first.add_column(no_wrap=True, justify="right")
    state = Text(clean(now.standing), _STYLES.get(now.state, ""))
    share_of = now.plan or f"{int(share * 100):3d}% of {now.total:,}"
    first.add_row(Text.assemble(f"broadcast {now.broadcast_id} ", state), bar, share_of)
    held = [Text(clean(now.held), "yellow")] if now.held and not now.sent_out else []
    further = [each.line for each in now.revised[:1]] + [f"next: {step}" for step in now.way_on]
    counts = [] if now.plan else [_counts(now)]
    return Group(first, *counts, *held, *(Text(clean(line)) for line in further))


def _counts(now: Progress) -> Text:
    return Text.assemble(
        (f"{now.sent:,} sent", "green"),
        "  ",
        (f"{now.failed:,} failed", "red" if now.failed else "dim"),
        "  ",
        (f"{now.unknown:,} unknown", "yellow" if now.unknown else "dim"),
        *(f"  {each}" for each in now.dropped),
        f"  {now.left:,} left" if not now.sent_out else "",
        f"  {now.pace}" if now.pace and not now.ended else "",
    )


def _certain(last: Progress | None) -> Progress:
    if last is None:
        raise AssertionError("a watch shows at least once")
    return last
