"""`muster keys`: API keys. A new one goes to standard output, once, and nowhere else."""

from __future__ import annotations

from typing import Any, Final

from muster_cli import figures, kinds, options
from muster_cli.errors import OK, Failure, usage
from muster_cli.listing import listed
from muster_cli.options import Context

_PATH: Final = "/api/keys"
SCOPES: Final = (  # a test compares them with the API's: this program carries none of Muster's libraries
    "messages:write", "broadcasts:read", "broadcasts:write", "schedules:read", "schedules:write", "groups:read",
    "groups:write", "bots:read", "bots:write", "keys:read", "keys:write", "webhooks:read", "webhooks:write",
    "audit:read", "*",
)  # fmt: skip


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    here = options.group(verbs, "keys", "API keys: list, make, rotate and revoke them")
    what = "also the revoked and expired ones; no key is shown, for none is kept"
    options.limited(options.leaf(here, "list", what, _list, "keys list"), 0)
    _add_making(here)
    example = "keys rotate 0123456789Ab --overlap 2h > new.key"
    rotating = options.leaf(here, "rotate", "make one with the same rights; the old one ends later", _rotate, example)
    rotating.add_argument("key_id", metavar="ID")
    what = "how long the old one is still good (1d)"
    rotating.add_argument("--overlap", type=kinds.duration, default=86400, metavar="DURATION", help=what)
    revoking = options.leaf(here, "revoke", "at once and for good", _revoke, "keys revoke 0123456789Ab --yes")
    revoking.add_argument("key_id", metavar="ID")
    options.askable(revoking)


def _add_making(here: options.Verbs) -> None:
    examples = (
        "keys new shop --scope messages:write --scope broadcasts:read --bot 123456789 > shop.key",
        "keys new planner --scope schedules:write --scope webhooks:read",
        "keys new ops --scope '*' --expires +90d",
    )
    parser = options.leaf(here, "new", "make a key and print it, once; what it may do goes to stderr", _new, *examples)
    parser.add_argument("name", type=kinds.text, metavar="NAME", help="what it is for")
    what, scopes = f"repeatable, or with commas: {', '.join(SCOPES)}", kinds.among("scope", SCOPES)
    parser.add_argument(
        "--scope", action="extend", required=True, type=scopes, dest="scopes", metavar="SCOPE", help=what
    )
    what = "only this bot (repeatable, or with commas)"
    parser.add_argument("--bot", type=kinds.numbers, action="extend", dest="bots", metavar="ID", help=what)
    parser.add_argument("--expires", type=kinds.moment, metavar="TIME", help="2027-01-01T00:00Z or +90d; never without")
    parser.add_argument("--per-second", type=float, metavar="N", help="requests (20)")
    parser.add_argument("--burst", type=kinds.count, metavar="N", help="requests at once (60)")


def _list(context: Context) -> int:
    empty = "There are no keys that this one may see.", "next: muster keys new NAME --scope SCOPE"
    columns = ("ID", "NAME", "SCOPES", "BOTS", "STATE", "LAST USED", "CREATED")
    return listed(context, _PATH, columns, _row, empty=empty)


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    names = row["key_id"], row["name"], ", ".join(row["scopes"]), _bots(row)
    return *names, _state(row), figures.brief(row["last_used_at"]) or "never", figures.brief(row["created_at"])


def _bots(row: dict[str, Any]) -> str:
    return "all" if row["bot_ids"] is None else ", ".join(map(str, row["bot_ids"]))


def _state(row: dict[str, Any]) -> str:
    if row["revoked_at"]:
        return f"revoked {figures.brief(row['revoked_at'])}"
    return f"until {figures.brief(row['expires_at'])}" if row["expires_at"] else "good"


def _new(context: Context) -> int:
    given = context.options
    body: dict[str, Any] = {
        "name": given.name,
        "scopes": given.scopes,
        "bot_ids": given.bots,
        "expires_at": given.expires.isoformat() if given.expires else None,
        "per_second": given.per_second,
        "burst": given.burst,
    }
    return _make(context, _PATH, {name: value for name, value in body.items() if value is not None})


def _rotate(context: Context) -> int:
    path = f"{_PATH}/{_id(context)}:rotate"
    return _make(context, path, {"overlap_seconds": context.options.overlap})


def _make(context: Context, path: str, body: dict[str, Any]) -> int:
    try:
        made = context.client.post_unkept(path, body)
    except Failure as failure:
        if failure.uncertain:
            what = "the key may have been made, and nobody can read it any more"
            failure.hints += [what, "muster keys list shows it; muster keys revoke ID ends it; then ask again"]
        raise
    if context.screen.as_json:
        context.screen.document(made)
        return OK
    context.screen.line(made["key"])
    bots = f" for bots {_bots(made)}" if made["bot_ids"] else ""
    context.screen.note(f"key {made['key_id']} ({made['name']}): {', '.join(made['scopes'])}{bots}; {_state(made)}")
    context.screen.note("it is shown this once: keep it where only its user can read it")
    return OK


def _revoke(context: Context) -> int:
    key_id = _id(context)
    own = " It is the one that this command uses." if key_id == context.settings.key_id else ""
    if not context.options.yes and not context.screen.confirmed(f"Revoke key {key_id} for good?{own}"):
        raise usage("nothing was changed")
    found = context.client.change("DELETE", f"{_PATH}/{key_id}")
    if context.screen.as_json:
        context.screen.document(found)
    else:
        context.screen.line(f"Key {key_id} ({found['name']}) is revoked.")
    return OK


def _id(context: Context) -> str:
    """Checked here, for a whole key in its place would end up in an address, and so in logs."""
    given: str = context.options.key_id
    if len(given) != 12 or not (given.isascii() and given.isalnum()):
        raise usage("that is no key's id: 12 letters and digits, as muster keys list shows them")
    return given
