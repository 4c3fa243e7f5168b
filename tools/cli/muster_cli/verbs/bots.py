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
    columns = (
        "ID#", "USERNAME", "NAME", "STATE", "HEALTH", "CHECKED", "GROUPS#", "PER SECOND#", "FLOODED UNTIL",
    )  # fmt: skip
    return listed(context, _PATH, columns, _row, empty=empty)


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    names = row["bot_id"], f"@{row['username']}", row["first_name"], _state(row)
    checked = figures.brief((row["health"] or {}).get("checked_at"))
    return *names, _health(row), checked, f"{row['groups']:,}", _rate(row), figures.brief(row["flood_until"])


def _state(row: dict[str, Any]) -> str:
    """Telegram's side of it, and whether its broadcasts wait."""
    return str(row["state"]) if row["enabled"] else f"{row['state']}, disabled"


def _health(row: dict[str, Any]) -> str:
    """What the last look found, and what its 429s say now."""
    health = row["health"]
    return "not checked yet" if health is None else ", ".join(health["problems"]) or "ok"


def _rate(row: dict[str, Any]) -> str:
    """Of what it may use, where a flood has left it less."""
    most, now = row["per_second"], row.get("rate", row["per_second"])
    return f"{now} of {most}" if now < most else f"{most}"


def _show(context: Context) -> int:
    row = context.client.get(f"{_PATH}/{context.options.bot_id}")
    if context.screen.as_json:
        context.screen.document(row)
        return OK
    health = row["health"] or {}
    context.screen.facts(
        [
            ("bot", row["bot_id"]),
            ("username", f"@{row['username']}"),
            ("name", row["first_name"]),
            ("state", _state(row)),
            ("health", _health(row)),
            ("checked", figures.when(health.get("checked_at"))),
            ("webhook", " ".join(filter(None, (health.get("webhook"), row["webhook_url"])))),
            ("updates waiting", health.get("pending_updates") or None),
            ("updates not sent", ", ".join(health.get("missing_updates") or ())),
            ("last error", health.get("last_error")),
            ("last error at", figures.when(health.get("last_error_at"))),
            ("groups", f"{row['groups']:,}"),
            ("sends a second", _rate(row)),
            ("flooded until", figures.when(row["flood_until"])),
            ("registered", figures.when(row["created_at"])),
        ]
    )
    return OK
