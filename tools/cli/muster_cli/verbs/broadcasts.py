"""`muster broadcasts`: how far they are, and everything an operator does with one."""

from __future__ import annotations

from typing import Any, Final

from muster_cli import figures, kinds, options, watching
from muster_cli.client import new_key
from muster_cli.errors import OK, Failure, usage
from muster_cli.listing import listed
from muster_cli.options import Context, Verb
from muster_cli.progress import Progress
from muster_cli.verbs import revising

_PATH: Final = "/api/broadcasts"
_STATES: Final = ("scheduled", "planning", "running", "paused", "cancelled", "done")
_DELIVERY_STATES: Final = ("pending", "slotted", "sending", "sent", "failed", "unknown", "cancelled", "expired")
_REVISED_STATES: Final = ("done", "not_recallable")  # besides those that deliveries have too


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    here = options.group(verbs, "broadcasts", "broadcasts: list, follow and steer them")
    listing = options.leaf(here, "list", "the newest first", _list, "broadcasts list --state running")
    listing.add_argument("--state", choices=_STATES)
    options.limited(listing, 50)
    _one(here, "show", "one broadcast with its progress and message", _show, "broadcasts show 12 --json")
    what = "follow it to its end; exit code 4 if not everybody got it, 5 if its content paused it where no terminal is"
    examples = "broadcasts watch 12", "broadcasts watch 12 --give-up-after 30m --json"
    watching_it = _one(here, "watch", what, _watch, *examples)
    options.watchable(watching_it)
    watching_it.add_argument("--interval", type=kinds.seconds, default=1.0, metavar="SECONDS", help="between looks (1)")
    for name, what in (
        ("pause", "begin no further sends, until it is resumed"),
        ("resume", "go on with a paused one"),
        ("retry-failed", "send again what failed, to groups that can be sent to"),
    ):
        options.repeatable(_one(here, name, what, _steering(name.replace("-", "_")), f"broadcasts {name} 12"))
    cancelling = _one(here, "cancel", "for good: no send begins any more", _cancel, "broadcasts cancel 12 --yes")
    options.askable(cancelling)
    options.repeatable(cancelling)
    _add_resolving(here)
    revising.add(here)
    _add_deliveries(here)


def _one(here: options.Verbs, name: str, what: str, run: Verb, *examples: str) -> Any:
    parser = options.leaf(here, name, what, run, *examples)
    parser.add_argument("broadcast_id", type=kinds.number, metavar="ID")
    return parser


def _add_resolving(here: options.Verbs) -> None:
    name = "resolve-unknown"
    examples = (f"broadcasts {name} 12 --sent", f"broadcasts {name} 12 --resend --delivery 301,302")
    parser = _one(here, name, "say what became of sends whose end nobody knows", _resolve, *examples)
    outcome = parser.add_mutually_exclusive_group(required=True)
    what = "they are in their groups: somebody has looked"
    outcome.add_argument("--sent", action="store_const", const="sent", dest="outcome", help=what)
    what = "send them again: a group that has got it gets it twice"
    outcome.add_argument("--resend", action="store_const", const="resend", dest="outcome", help=what)
    what = "only this one (repeatable, or with commas)"
    parser.add_argument("--delivery", type=kinds.numbers, action="extend", dest="deliveries", metavar="ID", help=what)
    options.repeatable(parser)


def _add_deliveries(here: options.Verbs) -> None:
    examples = (
        "broadcasts deliveries 12 --state failed",
        "broadcasts deliveries 12 --revision 3 --state failed",
        "broadcasts deliveries 12 --json > ledger.jsonl",
    )
    parser = _one(here, "deliveries", "one line a group: what became of its message", _deliveries, *examples)
    parser.add_argument("--state", choices=(*_DELIVERY_STATES, *_REVISED_STATES))
    what = "what became of each message in this recall or edit: done, failed, not_recallable, cancelled"
    parser.add_argument("--revision", type=kinds.number, metavar="ID", help=what)
    options.limited(parser, 0)


def _list(context: Context) -> int:
    state = context.options.state
    empty = (
        (f"No broadcast that this key may see is {state}.", "next: muster broadcasts list")
        if state
        else ("There are no broadcasts that this key may see.", "next: muster send --tag T 'text' --dry-run")
    )
    columns = ("ID#", "STATE", "GROUPS#", "PRIORITY#", "BEGINS", "ENDED", "BY", "MESSAGE")
    return listed(context, _PATH, columns, _row, empty=empty, wanted={"state": state})


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    total = f"{row['total']:,}" + ("" if row["planned"] else "+")
    total = "when it begins" if row["state"] == "scheduled" else total
    begins, ended = figures.brief(row["send_at"]), figures.brief(row["finished_at"])
    return row["broadcast_id"], _standing(row), total, row["priority"], begins, ended, row["created_by"], _excerpt(row)


def _excerpt(row: dict[str, Any]) -> str:
    """On one line; an API older than this command has none."""
    return " ".join(row.get("excerpt", "").removeprefix("sendMessage: ").split())


def _standing(row: dict[str, Any]) -> str:
    """An API older than this command does not say whether its messages were recalled or edited."""
    revised = {"recall": ", recalled", "edit": ", edited"}.get(row.get("revised") or "", "")
    return f"{row['state']}{revised}"


def _show(context: Context) -> int:
    found = _get(context)
    if context.screen.as_json:
        context.screen.document(found)
        return OK
    now = Progress.of(found)
    context.screen.facts(
        [
            ("broadcast", found["broadcast_id"]),
            ("state", now.standing),
            ("for", figures.targets(found)),
            ("groups", _groups(now)),
            ("deliveries", "" if now.plan else now.counts),
            ("waiting", now.held.removeprefix("waiting: ")),
            ("recalls and edits", "\n".join(each.line for each in now.revised)),
            ("pace", now.pace),
            ("priority", found["priority"]),
            ("on unknown", found["on_unknown"]),
            ("begins", figures.when(found["send_at"])),
            ("expires", figures.when(found["expires_at"])),
            ("ended", figures.when(found["finished_at"])),
            ("created", f"{figures.when(found['created_at'])} by {found['created_by']}"),
            *figures.content(found),
        ]
    )
    for step in now.next_steps():
        context.screen.note(f"next: {step}")
    return OK


def _groups(now: Progress) -> str:
    if now.state == "scheduled":
        return now.plan
    further = ", more are being planned" if now.plan else ", the others were not planned"
    return f"{now.total:,}" + ("" if now.planned else further)


def _get(context: Context) -> dict[str, Any]:
    return context.client.get(f"{_PATH}/{context.options.broadcast_id}")


def _watch(context: Context) -> int:
    return watching.watch(context, context.options.broadcast_id, context.options.interval)


def _steering(verb: str) -> Verb:
    return lambda context: _steer(context, verb)


def _steer(context: Context, verb: str, body: dict[str, Any] | None = None) -> int:
    number = context.options.broadcast_id
    try:
        found = _asked(context, f"{_PATH}/{number}:{verb}", body)
    except Failure as failure:
        if verb == "resume" and failure.facts.get("state") == "done":
            wrong = f"muster broadcasts edit {number} first, where the message was wrong"
            failure.hints.append(f"muster broadcasts retry-failed {number} sends again what failed; {wrong}")
        raise
    if context.screen.as_json:
        context.screen.document(found)
        return OK
    changed = f"; {figures.deliveries(found['deliveries'])}" if verb in {"retry_failed", "resolve_unknown"} else ""
    context.screen.line(f"Broadcast {number} is {found['state']}{changed}.")
    if found.get("more"):
        context.screen.note("there are more: look at what has ended meanwhile, and run it again")
    if verb == "retry_failed" and not found["deliveries"]:
        context.screen.note("nothing failed that could be sent again: muster groups list shows who can't be sent to")
    elif found["state"] in {"running", "planning"}:
        context.screen.note(f"next: muster broadcasts watch {number}")
    return OK


def _asked(context: Context, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """As long as there are more: each request takes so many, none what has ended since the first.

    An API older than this command names no such bound, and is asked once.
    """
    key, part = context.options.idempotency_key or new_key(), 1
    found = context.client.post(path, body, key=key)
    total = found["deliveries"]
    while found.get("more") and "settled_before" in found:
        part += 1
        bound = {"settled_before": found["settled_before"]}
        found = context.client.post(path, {**(body or {}), **bound}, key=key, part=part)
        total += found["deliveries"]
    return {**found, "deliveries": total}


def _cancel(context: Context) -> int:
    if not context.options.yes:
        now = Progress.of(_get(context))
        context.screen.note(now.line)
        if not context.screen.confirmed("Cancel it for good?"):
            raise usage("nothing was changed")
    return _steer(context, "cancel")


def _resolve(context: Context) -> int:
    given = context.options
    body: dict[str, Any] = {"outcome": given.outcome}
    return _steer(context, "resolve_unknown", body | ({"delivery_ids": given.deliveries} if given.deliveries else {}))


def _deliveries(context: Context) -> int:
    given = context.options
    if given.state in _REVISED_STATES and given.revision is None:
        raise usage(
            f"--state {given.state} is of a recall's or an edit's messages: give its --revision",
            f"muster broadcasts show {given.broadcast_id} shows which it has",
        )
    revision = "" if given.revision is None else f"/revisions/{given.revision}"
    empty = (
        f"No delivery is {given.state}." if given.state else "It has no deliveries yet: it is not planned.",
        f"next: muster broadcasts show {given.broadcast_id}",
    )
    columns = ("ID#", "GROUP#", "TITLE", "BOT#", "STATE", "ATTEMPTS#", "ERROR", "SETTLED", "LINK")
    path = f"{_PATH}/{given.broadcast_id}{revision}/deliveries"
    return listed(context, path, columns, _delivery, empty=empty, wanted={"state": given.state})


def _delivery(row: dict[str, Any]) -> tuple[object, ...]:
    known = (row["delivery_id"], row["group_id"], row["title"], row["bot_id"], row["state"], row["attempts"])
    return *known, row["error"], figures.brief(row["settled_at"]), row.get("link")
