"""`muster audit`: who changed what, from where."""

from __future__ import annotations

from typing import Any, Final

from muster_cli import figures, kinds, options
from muster_cli.errors import usage
from muster_cli.listing import listed
from muster_cli.options import Context

_KINDS: Final = ("bot", "broadcast", "group", "key", "media", "schedule", "webhook")
_SHORT: Final = 3  # items of a list that are shown
_LONGEST: Final = 40  # characters of a text


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    examples = (
        "audit --limit 20",
        "audit --kind broadcast --id 12",
        "audit --key 0123456789Ab --since 2d --until 09:00",
        "audit --json --limit 0 > audit.jsonl",
    )
    parser = options.leaf(verbs, "audit", "who changed what, the newest first", _run, *examples)
    parser.add_argument("--key", metavar="ID", type=kinds.text, help="by this API key, or another of its rotation")
    parser.add_argument("--actor", type=kinds.text, help="by exactly this one: cli:ops, telegram:123456789 …")
    parser.add_argument("--action", type=kinds.text, help="this sort of change: broadcast.pause …")
    parser.add_argument("--kind", choices=_KINDS, help="of such things")
    parser.add_argument("--id", type=kinds.text, help="of this one; needs --kind")
    what = "from then on: 2026-12-01T09:00, 09:00 the last one, or 2d for so long ago"
    parser.add_argument("--since", type=kinds.past, metavar="TIME", help=what)
    parser.add_argument("--until", type=kinds.past, metavar="TIME", help="before then")
    options.limited(parser, 50)


def _run(context: Context) -> int:
    wanted = _filter(context)
    empty = (
        ["No change fits; muster audit shows all of them."]
        if any(wanted.values())
        else [
            "Nothing has been changed yet, or nothing that this key may see.",
            "next: muster keys list shows what each key may see",
        ]
    )
    columns = ("ID#", "AT", "BY", "ACTION", "OBJECT", "CHANGE", "FROM", "TRACE")
    return listed(context, "/api/audit", columns, _row, empty=empty, wanted=wanted)


def _filter(context: Context) -> dict[str, str | None]:
    given = context.options
    if given.id and not given.kind:
        raise usage("--id needs --kind: an id alone names nothing")
    return {
        "key_id": given.key,
        "actor": given.actor,
        "action": given.action,
        "kind": given.kind,
        "id": given.id,
        "since": given.since.isoformat() if given.since else None,
        "until": given.until.isoformat() if given.until else None,
    }


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
    """Short enough for a cell; all of it is in --json."""
    match value:
        case None | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case dict():
            return "; ".join(f"{name} {_value(each)}" for name, each in value.items()) or "-"
        case list():
            more = f" and {len(value) - _SHORT:,} more" if len(value) > _SHORT else ""
            return ", ".join(map(_value, value[:_SHORT])) + more
        case _:
            text = str(value)
            return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
