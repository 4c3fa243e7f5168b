"""`muster bots`: who they are and how they are."""

from __future__ import annotations

from typing import Any, Final

from muster_cli import figures, kinds, options
from muster_cli.errors import OK
from muster_cli.listing import listed
from muster_cli.options import Context

_PATH: Final = "/api/bots"


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    here = options.group(verbs, "bots", "bots: who they are and how they are")
    options.limited(options.leaf(here, "list", "by id", _list, "bots list", "bots list --json"), 0)
    showing = options.leaf(here, "show", "one bot", _show, "bots show 123456789")
    showing.add_argument("bot_id", type=kinds.number, metavar="ID")


def _list(context: Context) -> int:
    empty = (
        "There are no bots that this key may see.",
        "next, on the server: python -m common bot add --webhook-url URL (the token by standard input)",
    )
    columns = ("ID#", "USERNAME", "NAME", "STATE", "GROUPS#", "PER SECOND#", "FLOODED UNTIL")
    return listed(context, _PATH, columns, _row, empty=empty)


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    names = row["bot_id"], f"@{row['username']}", row["first_name"], row["state"]
    return *names, f"{row['groups']:,}", _rate(row), figures.brief(row["flood_until"])


def _rate(row: dict[str, Any]) -> str:
    """Of what it may use, where a flood has left it less."""
    most, now = row["per_second"], row.get("rate", row["per_second"])
    return f"{now} of {most}" if now < most else f"{most}"


def _show(context: Context) -> int:
    row = context.client.get(f"{_PATH}/{context.options.bot_id}")
    if context.screen.as_json:
        context.screen.document(row)
        return OK
    context.screen.facts(
        [
            ("bot", row["bot_id"]),
            ("username", f"@{row['username']}"),
            ("name", row["first_name"]),
            ("state", row["state"]),
            ("groups", f"{row['groups']:,}"),
            ("sends a second", _rate(row)),
            ("flooded until", figures.when(row["flood_until"])),
            ("registered", figures.when(row["created_at"])),
        ]
    )
    return OK
