"""`muster audit`: who changed what, from where."""

from __future__ import annotations

from typing import Any

from muster_cli import figures, options
from muster_cli.errors import OK
from muster_cli.options import Context


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    examples = ("audit --limit 20", "audit --json --limit 0 > audit.jsonl")
    options.limited(options.leaf(verbs, "audit", "who changed what, the newest first", _run, *examples), 50)


def _run(context: Context) -> int:
    screen, limit = context.screen, context.options.limit or None
    found = context.client.pages("/api/audit", limit=limit)
    if screen.as_json:
        return screen.lines(found)
    rows = list(found)
    if not rows:
        screen.note("Nothing has been changed yet, or nothing that this key may see.")
        screen.note("next: muster keys list shows what each key may see")
        return OK
    screen.table(("ID#", "AT", "BY", "ACTION", "OBJECT", "CHANGE", "FROM", "TRACE"), (_row(row) for row in rows))
    screen.more(len(rows), limit)
    return OK


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    who = row["audit_id"], figures.brief(row["at"]), row["actor"], row["action"], row["object"]
    return *who, _change(row["before"], row["after"] or {}), row["ip"], row["trace_id"]


def _change(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """Only the fields that differ; of what was made, those that are set."""
    if before is None:
        return ", ".join(f"{name}: {_value(value)}" for name, value in after.items() if value is not None)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return ", ".join(f"{name}: {_value(before.get(name))} → {_value(after.get(name))}" for name in names)


def _value(value: object) -> str:
    return "-" if value is None else str(value)
