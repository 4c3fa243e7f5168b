"""`muster send`: one message for many groups, with its count and time shown before it goes out."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from muster_cli import figures, kinds, message, options, watching
from muster_cli.errors import OK, REFUSED, UNREACHABLE, Failure, usage
from muster_cli.options import Context

_PATH = "/api/send_messages"
_EXAMPLES = (
    "send --tag berlin 'We meet at noon.'",
    "send --all --exclude-tag quiet --html --file news.html --dry-run",
    "send --tag berlin --photo https://example.org/map.png --button 'Map=https://example.org' 'Here.'",
    "send --group 7,9 --copy=-1001234567890:42 --silent --yes --watch",
    "send --all --at 09:00 --ttl 2h --markdown '*Good morning*'",
)


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    parser = options.leaf(verbs, "send", "send one message to many groups", _run, *_EXAMPLES)
    _add_content(parser)
    _add_targets(parser)
    _add_delivery(parser)
    parser.add_argument("--dry-run", action="store_true", help="show whom it would reach; nothing is sent")
    parser.add_argument("--watch", action="store_true", help="follow it to its end, as broadcasts watch does")
    options.watchable(parser)
    options.askable(parser)
    options.repeatable(parser)


def _add_content(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("message")
    what = "the text, or the caption of a file or copy; - reads standard input, as no TEXT does in a pipe"
    options.worded(group, what)
    kind = group.add_mutually_exclusive_group()
    for name in ("photo", "video", "document"):
        kind.add_argument(
            f"--{name}", type=kinds.text, metavar="SOURCE", help="media:ID, an https address, or a file_id"
        )
    what = "copy a message that the bots can see; also its https://t.me/c/… link"
    kind.add_argument("--copy", type=kinds.origin, metavar="CHAT:MESSAGE", help=what)
    options.buttoned(group, "a button under it, one a row (repeatable)")
    group.add_argument("--silent", action="store_true", help="without a sound")
    group.add_argument("--protect", action="store_true", help="can't be forwarded or saved")
    group.add_argument("--no-preview", action="store_true", help="show no preview of links")
    group.add_argument("--topic", type=kinds.number, metavar="ID", help="a topic (message_thread_id)")


def _add_targets(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("whom it is for (repeatable, or with commas)")
    group.add_argument("--all", action="store_true", help="all groups that the key may see")
    several: dict[str, Any] = {"action": "extend", "default": []}
    group.add_argument("--group", type=kinds.numbers, dest="groups", metavar="ID", **several)
    group.add_argument("--tag", type=kinds.tags, dest="tags", metavar="T", **several)
    group.add_argument("--exclude-group", type=kinds.numbers, dest="exclude_groups", metavar="ID", **several)
    group.add_argument("--exclude-tag", type=kinds.tags, dest="exclude_tags", metavar="T", **several)


def _add_delivery(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("when and how")
    what = "not before: 2026-12-01T09:00+01:00, 09:00 (the next one) or +2h30m"
    group.add_argument("--at", type=kinds.moment, metavar="TIME", help=what)
    what = "what is unsent then expires: 90s, 15m, 2h, 1d"
    group.add_argument("--ttl", type=kinds.duration, metavar="DURATION", help=what)
    group.add_argument("--priority", type=int, choices=range(10), default=5, metavar="0-9", help="9 goes first (5)")
    what = "what follows a send that nobody knows the end of: report (usual) or resend_once"
    group.add_argument("--on-unknown", choices=("report", "resend_once"), default="report", help=what)


def _run(context: Context) -> int:
    given, screen = context.options, context.screen
    _check(context)
    body = message.request(given, message.read(given, sys.stdin, needed=message.bare(given)))
    if given.dry_run:
        _show_estimate(context, _estimate(context, body))
        return OK
    if not given.yes and not _wanted(context, body):
        raise usage("nothing was sent")
    accepted = _send(context, body)
    if screen.as_json:
        screen.document(accepted)
    else:
        _say(context, accepted)
    if not given.watch:
        return OK
    return _watch(context, accepted["broadcast_id"])


def _watch(context: Context, broadcast_id: int) -> int:
    """A key that may send need not be one that may look."""
    try:
        return watching.watch(context, broadcast_id, interval=1.0)
    except Failure as failure:
        failure.facts["broadcast_id"] = broadcast_id
        if failure.exit_code in {REFUSED, UNREACHABLE}:
            failure.hints.append(f"broadcast {broadcast_id} is accepted, and goes on all the same")
        raise


def _check(context: Context) -> None:
    """Before standard input is read. A repeated command may be late; a new one for the past is a slip of the hand."""
    message.targets(context.options)
    at = context.options.at
    if at is not None and at < datetime.now(UTC) and context.options.idempotency_key is None:
        raise usage(f"--at is past: {figures.shown(at)}")
    if context.options.dry_run and context.options.watch:
        raise usage("--dry-run sends nothing that --watch could follow")
    if context.options.give_up_after is not None and not context.options.watch:
        raise usage("--give-up-after is for --watch")


def _estimate(context: Context, body: dict[str, Any]) -> dict[str, Any]:
    return context.client.preview(_PATH, body, {"dry_run": "1"})


def _wanted(context: Context, body: dict[str, Any]) -> bool:
    """Asked where more than one group gets it; nobody at all is for the API to refuse."""
    estimate = _estimate(context, body)
    asked = estimate["accepted"] > 1
    if asked:
        context.screen.note(_summary(context, estimate))
    _warn(context, estimate)
    return not asked or context.screen.confirmed("Send it?")


def _send(context: Context, body: dict[str, Any]) -> dict[str, Any]:
    try:
        return context.client.post(_PATH, body, key=context.options.idempotency_key)
    except Failure as failure:
        if failure.uncertain and context.options.at is not None:
            failure.hints.append(f"and for it to be the same, with --at {body['send_at']}")
        raise


def _show_estimate(context: Context, estimate: dict[str, Any]) -> None:
    if context.screen.as_json:
        context.screen.document(estimate)
        return
    context.screen.line(f"Dry run, nothing is sent. {_summary(context, estimate)}")
    _warn(context, estimate)


def _warn(context: Context, estimate: dict[str, Any]) -> None:
    """Of what is accepted and may not be what is meant: one line for each sort."""
    for warning in _warnings(context, estimate):
        context.screen.note(f"warning: {warning}")


def _warnings(context: Context, estimate: dict[str, Any]) -> Iterator[str]:
    """An API older than this command says nothing of variables and tags."""
    if blanks := estimate.get("without_value"):
        counts = ", ".join(f"{{{{{name}}}}} for {figures.groups(count)}" for name, count in blanks.items())
        yield f"nothing stands in the place of {counts} of {estimate['accepted']:,}"
    if tags := estimate.get("unknown_tags"):
        yield f"no group has the tag {', '.join(tags)}"
    if held := figures.held(estimate):
        yield held
    at, ttl = context.options.at, context.options.ttl
    if ttl is not None and estimate["eta_seconds"] is not None:
        ends = ttl + (max(0.0, (at - datetime.now(UTC)).total_seconds()) if at else 0)
        if ends < estimate["eta_seconds"]:
            yield f"the time to live ends before the last one is sent, {figures.span(estimate['eta_seconds'])} from now"


def _summary(context: Context, estimate: dict[str, Any]) -> str:
    begins = f" from {figures.shown(context.options.at)}" if context.options.at else ""
    eta = estimate["eta_seconds"]
    until = "" if eta is None else f", until the last one {figures.span(eta)} from now"
    several = estimate.get("messages_each", 1)
    each = f", {several} messages each" if several > 1 else ""
    return f"To {figures.groups(estimate['accepted'])}{each}{begins}{_skipped(estimate)}{until}."


def _skipped(estimate: dict[str, Any]) -> str:
    if not estimate["skipped"]:
        return ""
    reasons = ", ".join(f"{count:,} {name}" for name, count in estimate["skipped_by_reason"].items())
    return f"; {estimate['skipped']:,} skipped ({reasons})"


def _say(context: Context, accepted: dict[str, Any]) -> None:
    number = accepted["broadcast_id"]
    context.screen.line(f"Broadcast {number} is accepted. {_summary(context, accepted)}")
    if context.options.yes:  # else it was said before the question
        _warn(context, accepted)
    if not context.options.watch:
        context.screen.note(f"next: muster broadcasts watch {number}")
