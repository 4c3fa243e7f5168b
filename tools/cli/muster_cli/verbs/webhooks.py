"""`muster webhooks`: addresses that are told what happens. A new secret goes to standard output, once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final

from muster_cli import figures, kinds, options
from muster_cli.errors import OK, Failure, usage
from muster_cli.listing import listed
from muster_cli.options import Context, Verb

_PATH: Final = "/api/webhooks"
KINDS: Final = (  # a test compares them with the API's: this program carries none of Muster's libraries
    "broadcast.started", "broadcast.finished", "broadcast.paused", "broadcast.cancelled", "delivery.failed",
    "delivery.unknown", "delivery.sent", "group.out_of_sending",
)  # fmt: skip
_STATES: Final = ("pending", "delivered", "failed")


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    here = options.group(verbs, "webhooks", "webhooks: addresses that are told what happens, and what they were told")
    options.limited(options.leaf(here, "list", "by id", _list, "webhooks list"), 0)
    _one(here, "show", "one webhook", _show, "webhooks show 1")
    _add_making(here)
    _add_changing(here)
    testing = _one(here, "test", "send it an event webhook.test", _test, "webhooks test 1")
    options.repeatable(testing)
    what = "its requests of the last 7 days, the newest first"
    told = _one(here, "deliveries", what, _deliveries, "webhooks deliveries 1 --state failed")
    told.add_argument("--state", choices=_STATES)
    options.limited(told, 50)
    _add_replaying(here)


def _one(here: options.Verbs, name: str, what: str, run: Verb, *examples: str) -> ArgumentParser:
    parser = options.leaf(here, name, what, run, *examples)
    parser.add_argument("webhook_id", type=kinds.number, metavar="ID")
    return parser


def _kinds_of(parser: ArgumentParser, *, required: bool) -> None:
    what, each = f"repeatable, or with commas: {', '.join(KINDS)}", kinds.among("kind", KINDS)
    parser.add_argument(
        "--kind", action="extend", required=required, type=each, dest="kinds", metavar="KIND", help=what
    )


def _add_making(here: options.Verbs) -> None:
    examples = ("webhooks new https://hooks.example.com/muster --kind broadcast.finished > hook.secret",)
    what = "register an address and print its secret, once"
    making = options.leaf(here, "new", what, _new, *examples)
    making.add_argument("address", type=kinds.text, metavar="URL", help="https, port 443, a public host")
    _kinds_of(making, required=True)
    what = "only what concerns this bot (repeatable, or with commas)"
    making.add_argument("--bot", type=kinds.numbers, action="extend", dest="bots", metavar="ID", help=what)
    what = "make a new secret and print it, once; the old one signs as well for a while"
    rotating = _one(here, "rotate", what, _rotate, "webhooks rotate 1 --overlap 2h > hook.secret")
    what = "how long the old one is still good (1d); 0 ends it at once"
    rotating.add_argument("--overlap", type=kinds.duration, default=86400, metavar="DURATION", help=what)


def _add_changing(here: options.Verbs) -> None:
    what = "another address or other kinds; what is not named stays"
    changing = _one(here, "set", what, _set, "webhooks set 1 --kind delivery.failed --kind delivery.unknown")
    changing.add_argument("--address", type=kinds.text, metavar="URL", help="https, port 443, a public host")
    _kinds_of(changing, required=False)
    what = "go on; what was kept while Muster had it disabled is told too"
    _one(here, "enable", what, _switching(on=True), "webhooks enable 1")
    _one(here, "disable", "tell it nothing until it is enabled", _switching(on=False), "webhooks disable 1")
    what = "for good; what waits for it is not told any more"
    deleting = _one(here, "delete", what, _delete, "webhooks delete 1 --yes")
    options.askable(deleting)
    options.repeatable(deleting)


def _add_replaying(here: options.Verbs) -> None:
    examples = ("webhooks replay 1 --since 2h", "webhooks replay 1 --after evt_4711", "webhooks replay 1 --event evt_7")
    replaying = _one(here, "replay", "tell events of the last 7 days once more", _replay, *examples)
    which = replaying.add_mutually_exclusive_group(required=True)
    what = "all from then on: 2026-12-01T09:00, 09:00 the last one, or 2d for so long ago"
    which.add_argument("--since", type=kinds.past, metavar="TIME", help=what)
    which.add_argument("--after", type=kinds.text, metavar="EVENT", help="all that came after this one (evt_…)")
    which.add_argument("--event", type=kinds.text, metavar="EVENT", help="this one alone (evt_…)")
    options.repeatable(replaying)


def _list(context: Context) -> int:
    empty = (
        "There are no webhooks that this key may see.",
        "next: muster webhooks new URL --kind broadcast.finished",
    )
    return listed(context, _PATH, ("ID#", "URL", "KINDS", "BOTS", "STATE", "BY"), _row, empty=empty)


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    return row["webhook_id"], row["url"], ", ".join(row["kinds"]), _bots(row), _state(row), row["created_by"]


def _bots(row: dict[str, Any]) -> str:
    return "all" if row["bot_ids"] is None else ", ".join(map(str, row["bot_ids"]))


def _state(row: dict[str, Any]) -> str:
    if not row["enabled"]:
        return f"disabled: {row['disabled_reason']}" if row["disabled_reason"] else "disabled"
    return f"failing since {figures.brief(row['failing_since'])}" if row["failing_since"] else "enabled"


def _path(context: Context) -> str:
    return f"{_PATH}/{context.options.webhook_id}"


def _show(context: Context) -> int:
    row = context.client.get(_path(context))
    if context.screen.as_json:
        context.screen.document(row)
        return OK
    context.screen.facts(
        [
            ("webhook", row["webhook_id"]),
            ("url", row["url"]),
            ("kinds", ", ".join(row["kinds"])),
            ("bots", _bots(row)),
            ("state", _state(row)),
            ("old secret until", figures.when(row["old_until"])),
            ("created", f"{figures.when(row['created_at'])} by {row['created_by']}"),
            ("changed", figures.when(row["updated_at"])),
        ]
    )
    context.screen.note(f"next: muster webhooks deliveries {row['webhook_id']}")
    return OK


def _new(context: Context) -> int:
    given = context.options
    body = {"url": given.address, "kinds": given.kinds} | ({"bot_ids": given.bots} if given.bots else {})
    return _make(context, _PATH, body, "muster webhooks list shows whether it was registered: delete or rotate it then")


def _rotate(context: Context) -> int:
    body = {"overlap_seconds": context.options.overlap}
    hint = "if it was, nobody can read the new secret any more: rotate again with --overlap 0"
    return _make(context, f"{_path(context)}:rotate_secret", body, hint)


def _make(context: Context, path: str, body: dict[str, Any], hint: str) -> int:
    try:
        made = context.client.post_unkept(path, body)
    except Failure as failure:
        if failure.uncertain:
            failure.hints += ["it is not known whether this has taken effect", hint]
        raise
    if context.screen.as_json:
        context.screen.document(made)
        return OK
    context.screen.line(made["secret"])
    old = f"; the old secret signs until {figures.when(made['old_until'])}" if made["old_until"] else ""
    context.screen.note(f"webhook {made['webhook_id']} ({made['url']}){old}")
    context.screen.note("the secret is shown this once: keep it where only the receiver can read it")
    context.screen.note(f"next: muster webhooks test {made['webhook_id']}")
    return OK


def _set(context: Context) -> int:
    given = context.options
    body = {name: value for name, value in (("url", given.address), ("kinds", given.kinds)) if value is not None}
    if not body:
        raise usage("nothing to change: give --address or --kind")
    return _change(context, body)


def _switching(*, on: bool) -> Verb:
    return lambda context: _change(context, {"enabled": on})


def _change(context: Context, body: dict[str, Any]) -> int:
    row = context.client.change("PATCH", _path(context), body)
    if context.screen.as_json:
        context.screen.document(row)
        return OK
    context.screen.line(f"Webhook {row['webhook_id']} ({row['url']}) is {_state(row)}: {', '.join(row['kinds'])}.")
    return OK


def _delete(context: Context) -> int:
    given = context.options
    if not given.yes:
        found = context.client.get(_path(context))
        if not context.screen.confirmed(f"Delete webhook {given.webhook_id} ({found['url']}) for good?"):
            raise usage("nothing was changed")
    row = context.client.delete(_path(context), key=given.idempotency_key)
    if context.screen.as_json:
        context.screen.document(row)
    else:
        context.screen.line(f"Webhook {given.webhook_id} ({row['url']}) is deleted.")
    return OK


def _test(context: Context) -> int:
    told = context.client.post(f"{_path(context)}:test", key=context.options.idempotency_key)
    if context.screen.as_json:
        context.screen.document(told)
        return OK
    context.screen.line(f"{told['event_id']} is on its way.")
    context.screen.note(f"next: muster webhooks deliveries {context.options.webhook_id} --limit 1")
    return OK


def _replay(context: Context) -> int:
    given = context.options
    since = given.since.isoformat() if given.since else None
    wanted = {"since": since, "after": given.after, "event_id": given.event}
    body = {name: value for name, value in wanted.items() if value is not None}
    done = context.client.post(f"{_path(context)}:replay", body, key=given.idempotency_key)
    if context.screen.as_json:
        context.screen.document(done)
        return OK
    count = done["events"]
    context.screen.line("1 event is told once more." if count == 1 else f"{count:,} events are told once more.")
    if done["more_after"]:
        context.screen.note(f"next: muster webhooks replay {given.webhook_id} --after {done['more_after']}")
    return OK


def _deliveries(context: Context) -> int:
    given = context.options
    empty = (
        f"No request is {given.state}." if given.state else "It was told nothing in the last 7 days.",
        f"next: muster webhooks test {given.webhook_id}",
    )
    columns = ("ID#", "KIND", "EVENTS", "STATE", "ATTEMPTS#", "STATUS#", "REASON", "MADE", "NEXT", "SETTLED")
    wanted = {"state": given.state}
    return listed(context, f"{_path(context)}/deliveries", columns, _delivery, empty=empty, wanted=wanted)


def _delivery(row: dict[str, Any]) -> tuple[object, ...]:
    events = row["event_ids"]
    named = events[0] if len(events) == 1 else f"{len(events)} from {events[0]}" if events else ""
    known = row["delivery_id"], row["kind"], named, row["state"], row["attempts"], row["status"], row["reason"]
    return *known, *(figures.brief(row[name]) for name in ("created_at", "next_at", "settled_at"))
