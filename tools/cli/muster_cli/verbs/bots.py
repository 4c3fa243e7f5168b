"""`muster bots`: who they are and how they are, and everything an operator does with one."""

from __future__ import annotations

import getpass
import sys
from typing import Any, Final

from muster_cli import figures, kinds, options
from muster_cli.errors import OK, usage
from muster_cli.listing import listed
from muster_cli.options import Context, Verb

_PATH: Final = "/api/bots"


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    here = options.group(verbs, "bots", "bots: register, look after and change them")
    options.limited(options.leaf(here, "list", "by id", _list, "bots list", "bots list --json"), 0)
    _one(here, "show", "one bot, as it was at the last look", _show, "bots show 123456789")
    _one(here, "check", "ask Telegram how it and its webhook are", _check, "bots check 123456789")
    _add_tokens(here)
    setting = _one(here, "set", "how fast it sends", _set, "bots set 123456789 --per-second 20")
    setting.add_argument("--per-second", type=kinds.count, required=True, metavar="N", help="sends, replies included")
    _one(here, "enable", "go on with what waits", _switching(on=True), "bots enable 123456789")
    what = "send nothing until it is enabled; who writes to it is still answered"
    _one(here, "disable", what, _switching(on=False), "bots disable 123456789")


def _one(here: options.Verbs, name: str, what: str, run: Verb, *examples: str) -> Any:
    parser = options.leaf(here, name, what, run, *examples)
    parser.add_argument("bot_id", type=kinds.number, metavar="ID")
    return parser


def _add_tokens(here: options.Verbs) -> None:
    """A token is no argument: other people on the machine can read those."""
    what = "register one: its token on standard input, or asked for"
    adding = options.leaf(here, "add", what, _new, "bots add", "bots add --no-webhook")
    adding.add_argument("--no-webhook", action="store_true", help="leave its webhook at Telegram as it is")
    replacing = _one(here, "replace-token", "its new token, in the same way", _replace, "bots replace-token 123456789")
    what = "set its webhook again, with a secret of the current key; no update is lost"
    rotating = _one(here, "rotate-secret", what, _rotate, "bots rotate-secret 123456789")
    for parser in (adding, replacing, rotating):
        options.repeatable(parser)


def _new(context: Context) -> int:
    body = {"token": _token(), "webhook": not context.options.no_webhook}
    return _told(context, context.client.post(_PATH, body, key=context.options.idempotency_key))


def _replace(context: Context) -> int:
    path = f"{_PATH}/{context.options.bot_id}:replace_token"
    return _told(context, context.client.post(path, {"token": _token()}, key=context.options.idempotency_key))


def _rotate(context: Context) -> int:
    path = f"{_PATH}/{context.options.bot_id}:rotate_secret"
    return _told(context, context.client.post(path, key=context.options.idempotency_key))


def _check(context: Context) -> int:
    return _told(context, context.client.preview(f"{_PATH}/{context.options.bot_id}:check"))


def _set(context: Context) -> int:
    return _change(context, {"per_second": context.options.per_second})


def _switching(*, on: bool) -> Verb:
    return lambda context: _change(context, {"enabled": on})


def _change(context: Context, body: dict[str, Any]) -> int:
    return _told(context, context.client.change("PATCH", f"{_PATH}/{context.options.bot_id}", body))


def _token() -> str:
    try:
        token = getpass.getpass("token (not shown): ") if sys.stdin.isatty() else sys.stdin.readline()
    except (EOFError, UnicodeDecodeError):
        token = ""
    if not token.strip():
        raise usage("no token was given", "it is read from standard input: muster bots add < FILE")
    return token.strip()


def _list(context: Context) -> int:
    empty = "There are no bots that this key may see.", "next: muster bots add"
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
    return _told(context, context.client.get(f"{_PATH}/{context.options.bot_id}"))


def _told(context: Context, row: dict[str, Any]) -> int:
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
