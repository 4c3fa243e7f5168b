"""`muster schedules`: which there are, what comes next, and whether they go on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final

from muster_cli import figures, kinds, options
from muster_cli.errors import OK, usage
from muster_cli.listing import listed
from muster_cli.options import Context, Verb

_PATH: Final = "/api/schedules"


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    here = options.group(verbs, "schedules", "schedules: list, enable, disable and delete them; the API makes them")
    options.limited(options.leaf(here, "list", "by id", _list, "schedules list", "schedules list --json"), 0)
    _one(here, "show", "one schedule with its next dates", _show, "schedules show 3")
    _one(here, "enable", "go on with the next date to come", _switching(on=True), "schedules enable 3")
    _one(here, "disable", "begin no further broadcasts", _switching(on=False), "schedules disable 3")
    what = "for good, with the record of its dates; its broadcasts stay and go on"
    deleting = _one(here, "delete", what, _delete, "schedules delete 3 --yes")
    options.askable(deleting)
    options.repeatable(deleting)


def _one(here: options.Verbs, name: str, what: str, run: Verb, *examples: str) -> ArgumentParser:
    parser = options.leaf(here, name, what, run, *examples)
    parser.add_argument("schedule_id", type=kinds.number, metavar="ID")
    return parser


def _list(context: Context) -> int:
    empty = "There are no schedules that this key may see.", "next: POST /api/schedules makes one"
    columns = ("ID#", "NAME", "CRON", "TIMEZONE", "STATE", "NEXT", "BY")
    return listed(context, _PATH, columns, _row, empty=empty)


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    begins = figures.given(row["next_dates"][0]) if row["next_dates"] else ""
    named = row["schedule_id"], row["name"], row["cron"], row["timezone"]
    return *named, _state(row), begins, row["created_by"]


def _state(row: dict[str, Any]) -> str:
    if not row["enabled"]:
        return "disabled"
    return "enabled" if row["next_dates"] else "over"


def _get(context: Context) -> dict[str, Any]:
    return context.client.get(f"{_PATH}/{context.options.schedule_id}")


def _show(context: Context) -> int:
    row = _get(context)
    if context.screen.as_json:
        context.screen.document(row)
        return OK
    context.screen.facts(
        [
            ("schedule", row["schedule_id"]),
            ("name", row["name"]),
            ("state", _state(row)),
            ("cron", f"{row['cron']} ({row['timezone']})"),
            ("next", "\n".join(map(figures.given, row["next_dates"]))),
            ("ends", figures.when(row["ends_at"])),
            ("targets", figures.targets(row)),
            ("priority", row["priority"]),
            ("expires after", figures.span(row["ttl_seconds"]) if row["ttl_seconds"] else ""),
            ("on unknown", row["on_unknown"]),
            ("created", f"{figures.when(row['created_at'])} by {row['created_by']}"),
            *figures.content(row),
        ]
    )
    return OK


def _switching(*, on: bool) -> Verb:
    return lambda context: _switch(context, on=on)


def _switch(context: Context, *, on: bool) -> int:
    row = context.client.change("PATCH", f"{_PATH}/{context.options.schedule_id}", {"enabled": on})
    if context.screen.as_json:
        context.screen.document(row)
        return OK
    begins = f"; the next broadcast is made {figures.given(row['next_dates'][0])}" if row["next_dates"] else ""
    context.screen.line(f"Schedule {row['schedule_id']} ({row['name']}) is {_state(row)}{begins}.")
    return OK


def _delete(context: Context) -> int:
    given = context.options
    if not given.yes:
        found = _get(context)
        if not context.screen.confirmed(f"Delete schedule {given.schedule_id} ({found['name']}) for good?"):
            raise usage("nothing was changed")
    row = context.client.delete(f"{_PATH}/{given.schedule_id}", key=given.idempotency_key)
    if context.screen.as_json:
        context.screen.document(row)
    else:
        context.screen.line(f"Schedule {given.schedule_id} ({row['name']}) is deleted.")
    return OK
