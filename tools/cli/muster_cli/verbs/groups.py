"""`muster groups`: which there are, which of them are sent to, and their settings."""

from __future__ import annotations

from argparse import ArgumentParser
from itertools import chain
from typing import Any, Final

from muster_cli import figures, kinds, options
from muster_cli.errors import OK, Failure, usage
from muster_cli.listing import listed
from muster_cli.options import Context

_PATH: Final = "/api/groups"
_PHASES: Final = ("discovered", "growth", "monitoring", "paused", "lost", "migrated", "archived")


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    here = options.group(verbs, "groups", "groups: list, register and change them")
    listing = options.leaf(
        here, "list", "by id", _list, "groups list --tag berlin --sendable no", "groups list --json | jq .group_id"
    )
    listing.add_argument("--bot", type=kinds.number, metavar="ID")
    listing.add_argument("--tag", type=kinds.text, metavar="T")
    listing.add_argument("--phase", choices=_PHASES)
    listing.add_argument("--sendable", type=kinds.yes_or_no, metavar="yes|no", help="whether broadcasts go there now")
    options.limited(listing, 0)
    showing = options.leaf(here, "show", "one group with its settings", _show, "groups show 7")
    showing.add_argument("group_id", type=kinds.number, metavar="ID")
    _add_adding(here)
    _add_setting(here)


def _add_adding(here: options.Verbs) -> None:
    example = "groups add --bot 123456789 --chat -1001234567890 --title Berlin --tag berlin --timezone Europe/Berlin"
    parser = options.leaf(here, "add", "register a chat that a bot is in", _add, example)
    parser.add_argument("--bot", type=kinds.number, required=True, metavar="ID")
    parser.add_argument("--chat", type=kinds.chat, required=True, metavar="CHAT", help="its id at Telegram, negative")
    parser.add_argument("--title", type=kinds.text, default="")
    parser.add_argument("--kind", choices=("group", "supergroup"), default="supergroup")
    _add_settings(parser)
    options.repeatable(parser)


def _add_setting(here: options.Verbs) -> None:
    examples = (
        "groups set 7 --add-tag berlin --window 09:00-21:00 --timezone Europe/Berlin",
        "groups set 7,8,9 --final-message-allowed yes --let-in",
        "groups set 7 --no-window --variable hashtag='#berlin' --no-variable motto",
    )
    parser = options.leaf(here, "set", "change settings; what is not named stays as it is", _set, *examples)
    parser.add_argument("group_ids", nargs="+", type=kinds.numbers, metavar="ID", help="several, also with commas")
    _add_settings(parser)
    several: dict[str, Any] = {"action": "extend", "default": []}
    parser.add_argument("--add-tag", type=kinds.tags, dest="more_tags", metavar="T", **several)
    parser.add_argument("--remove-tag", type=kinds.tags, dest="fewer_tags", metavar="T", **several)
    parser.add_argument("--no-tags", action="store_true", help="take all tags away")
    parser.add_argument("--no-window", action="store_true", help="send there at any time")
    parser.add_argument(
        "--no-variable", type=kinds.text, action="append", default=[], dest="fewer_variables", metavar="NAME"
    )
    parser.add_argument("--let-in", action="store_true", help="send to it again after it was taken out of sending")


def _add_settings(parser: ArgumentParser) -> None:
    what = "its tags, in place of those it has (repeatable, or with commas)"
    parser.add_argument("--tag", type=kinds.tags, action="extend", default=[], dest="tags", metavar="T", help=what)
    parser.add_argument("--timezone", type=kinds.text, metavar="NAME", help="like Europe/Berlin")
    parser.add_argument(
        "--window", type=kinds.window, metavar="HH:MM-HH:MM", help="when it is sent to, in its timezone"
    )
    what = "whether broadcasts may go there"
    parser.add_argument("--final-message-allowed", type=kinds.yes_or_no, metavar="yes|no", help=what)
    what = "what {{name}} is in texts (repeatable)"
    parser.add_argument(
        "--variable",
        type=kinds.variable,
        action="append",
        default=[],
        dest="variables",
        metavar="NAME=VALUE",
        help=what,
    )


def _list(context: Context) -> int:
    given = context.options
    wanted = {"bot_id": given.bot, "tag": given.tag, "phase": given.phase, "sendable": given.sendable}
    narrowed = any(value is not None for value in wanted.values())
    empty = (
        ("No group is like that.", "next: muster groups list")
        if narrowed
        else ("There are no groups that this key may see.", "next: muster groups add --bot ID --chat CHAT")
    )
    columns = ("ID#", "TITLE", "BOT#", "TAGS", "PHASE", "HEALTH", "WINDOW", "SENT TO")
    return listed(context, _PATH, columns, _row, empty=empty, wanted=wanted)


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    names = row["group_id"], row["title"], row["bot_id"], ", ".join(row["tags"])
    return *names, row["phase"], row["health"], _window(row), _sent_to(row)


def _window(row: dict[str, Any]) -> str:
    window = row["window"]
    return f"{window['from']}-{window['to']} {row['timezone']}" if window else ""


def _sent_to(row: dict[str, Any]) -> str:
    if row["out_reason"]:
        return f"no: {row['out_reason']}"
    if not row["final_message_allowed"]:
        return "no: final message not allowed"
    return "yes" if row["phase"] in {"discovered", "growth", "monitoring"} else f"no: {row['phase']}"


def _show(context: Context) -> int:
    return _tell(context, context.client.get(f"{_PATH}/{context.options.group_id}"))


def _tell(context: Context, row: dict[str, Any]) -> int:
    if context.screen.as_json:
        context.screen.document(row)
        return OK
    context.screen.facts(
        [
            ("group", row["group_id"]),
            ("title", row["title"]),
            ("chat", f"{row['chat_id']} ({row['kind']})"),
            ("bot", row["bot_id"]),
            ("tags", ", ".join(row["tags"])),
            ("variables", ", ".join(f"{name}={value}" for name, value in row["variables"].items())),
            ("timezone", row["timezone"]),
            ("window", _window(row) or "at any time"),
            ("final message", "allowed" if row["final_message_allowed"] else "not allowed"),
            ("phase", row["phase"]),
            ("health", row["health"]),
            ("failures", row["failures"] or ""),
            ("sent to", _sent_to(row)),
            ("changed", figures.when(row["updated_at"])),
        ]
    )
    return OK


def _add(context: Context) -> int:
    given = context.options
    body = {"bot_id": given.bot, "chat_id": given.chat, "title": given.title, "kind": given.kind, **_plain(context)}
    if given.variables:
        body["variables"] = dict(given.variables)
    return _tell(context, context.client.post(_PATH, body, key=given.idempotency_key))


def _plain(context: Context) -> dict[str, Any]:
    """Settings that replace what is there."""
    given = context.options
    found = {
        "tags": given.tags or None,
        "timezone": given.timezone,
        "window": given.window,
        "final_message_allowed": given.final_message_allowed,
    }
    return {name: value for name, value in found.items() if value is not None}


def _set(context: Context) -> int:
    changes = _changes(context)
    needs_old = any(getattr(context.options, name) for name in _MERGED)
    done: list[int] = []
    for group_id in chain.from_iterable(context.options.group_ids):
        try:
            _change(context, group_id, changes, needs_old=needs_old)
        except Failure as failure:
            failure.message = f"group {group_id}: {failure.message}"
            failure.facts |= {"group_id": group_id, "changed": done}
            if done:
                failure.hints.append(f"changed before it: {', '.join(map(str, done))}")
            raise
        done.append(group_id)
    return OK


_MERGED: Final = ("more_tags", "fewer_tags", "variables", "fewer_variables")


def _changes(context: Context) -> dict[str, Any]:
    given = context.options
    if bool(given.tags) + bool(given.more_tags or given.fewer_tags) + given.no_tags > 1:
        raise usage("--tag, --no-tags and --add-tag with --remove-tag are three ways: choose one")
    if given.window and given.no_window:
        raise usage("--window or --no-window, not both")
    changes = _plain(context)
    changes |= {"tags": []} if given.no_tags else {}
    changes |= {"window": None} if given.no_window else {}
    changes |= {"out_reason": None} if given.let_in else {}
    if not changes and not any(getattr(given, name) for name in _MERGED):
        raise usage("there is nothing to change", "muster groups set --help lists the settings")
    return changes


def _change(context: Context, group_id: int, changes: dict[str, Any], *, needs_old: bool) -> None:
    path = f"{_PATH}/{group_id}"
    old = _merged(context, context.client.get(path)) if needs_old else {}
    _tell(context, context.client.change("PATCH", path, {**changes, **old}))


def _merged(context: Context, row: dict[str, Any]) -> dict[str, Any]:
    """The API replaces tags and variables as a whole, so they are read first."""
    given, found = context.options, dict[str, Any]()
    if given.more_tags or given.fewer_tags:
        found["tags"] = sorted((set(row["tags"]) | set(given.more_tags)) - set(given.fewer_tags))
    if given.variables or given.fewer_variables:
        every = {**row["variables"], **dict(given.variables)}
        found["variables"] = {name: value for name, value in every.items() if name not in given.fewer_variables}
    return found
