"""`muster broadcasts recall` and `edit`: what an operator does about messages that were sent."""

from __future__ import annotations

import sys
from typing import Any, Final

from muster_cli import figures, kinds, message, options
from muster_cli.errors import OK, Failure, usage
from muster_cli.options import Context
from muster_cli.progress import Progress

_PATH: Final = "/api/broadcasts"


def add(here: options.Verbs) -> None:
    """To the verbs of `muster broadcasts`."""
    what = "delete its messages in every group, for good: Telegram allows it for 48 hours"
    recalling = options.leaf(here, "recall", what, _recall, "broadcasts recall 12", "broadcasts recall 12 --yes --json")
    recalling.add_argument("broadcast_id", type=kinds.number, metavar="ID")
    options.askable(recalling)
    options.repeatable(recalling)
    _add_editing(here)


def _add_editing(here: options.Verbs) -> None:
    examples = (
        "broadcasts edit 12 'We meet at one.'",
        "broadcasts edit 12 --html --file news.html --yes",
        "broadcasts edit 12 --caption --markdown '*The new map*'",
        "broadcasts edit 12 --button 'Map=https://example.org'",
    )
    what = "give its messages another text, caption or buttons, also those that are still to be sent"
    parser = options.leaf(here, "edit", what, _edit, *examples)
    parser.add_argument("broadcast_id", type=kinds.number, metavar="ID")
    group = parser.add_argument_group("new content")
    options.worded(group, "the new text; - reads standard input, as no TEXT does in a pipe")
    what = "TEXT is the caption of a photo, video, document or album, not a text message's text"
    group.add_argument("--caption", action="store_true", help=what)
    buttons = group.add_mutually_exclusive_group()
    options.buttoned(buttons, "a button under it, one a row (repeatable); in place of those that are there")
    buttons.add_argument("--no-buttons", action="store_true", help="take all buttons away")
    group.add_argument("--no-preview", action="store_true", help="show no preview of links")
    options.askable(parser)
    options.repeatable(parser)


def _recall(context: Context) -> int:
    question = "Delete its messages in every group for good, and send no further ones?"
    return _revise(context, "recall", None, question)


def _edit(context: Context) -> int:
    given = context.options
    text = message.read(given, sys.stdin, needed=not (given.buttons or given.no_buttons))
    edit = message.edit(given, text)
    try:
        return _revise(context, "edit_all", {"edit": edit}, "Change its messages in every group?")
    except Failure as failure:
        worded = text is not None and not (given.caption and given.buttons)
        if worded and failure.facts.get("code") == "edit_mismatch":
            failure.hints.insert(0, "--caption where a photo, video or document was sent; without it where a text was")
        raise


def _revise(context: Context, verb: str, body: dict[str, Any] | None, question: str) -> int:
    given, screen = context.options, context.screen
    path = f"{_PATH}/{given.broadcast_id}"
    if not given.yes:
        screen.note(Progress.of(context.client.get(path)).line)
        if not screen.confirmed(question):
            raise usage("nothing was changed")
    found = context.client.post(f"{path}:{verb}", body, key=given.idempotency_key)
    if screen.as_json:
        screen.document(found)
        return OK
    screen.line(_said(found) if found["eta_seconds"] or not found["sent"] else _standing(context, found))
    screen.note(f"next: muster broadcasts {'show' if found['state'] == 'paused' else 'watch'} {given.broadcast_id}")
    return OK


def _standing(context: Context, found: dict[str, Any]) -> str:
    """Of one that has nothing left to do, which is one that was asked for before."""
    now = Progress.of(context.client.get(f"{_PATH}/{found['broadcast_id']}"))
    lines = [each.line for each in now.revised if each.revision_id == found["revision_id"]]
    return f"Broadcast {found['broadcast_id']}: {'; '.join(lines)}."


def _said(found: dict[str, Any]) -> str:
    what = "recalled" if found["kind"] == "recall" else "edited"
    old = f", {found['not_recallable']:,} of them too old to be deleted" if found["not_recallable"] else ""
    until = f", until the last one {figures.span(found['eta_seconds'])} from now" if found["sent"] else ""
    return f"Broadcast {found['broadcast_id']} is being {what}: {figures.messages(found['sent'])}{old}{until}."
