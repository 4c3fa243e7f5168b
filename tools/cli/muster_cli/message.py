"""The requests that `muster send` and `muster broadcasts edit` make, from their options. Pure."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from muster_cli.errors import usage

_MEDIA: Final = ("photo", "video", "document")


def request(options: Namespace, text: str | None) -> dict[str, Any]:
    """Failure for options that don't go together; what only the API can judge is left to it."""
    body: dict[str, Any] = {
        "message": message(options, text),
        "targets": targets(options),
        "priority": options.priority,
        "on_unknown": options.on_unknown,
    }
    if options.at is not None:
        body["send_at"] = options.at.isoformat()
    if options.ttl is not None:
        body["ttl_seconds"] = options.ttl
    return body


def message(options: Namespace, text: str | None) -> dict[str, Any]:
    """Text, or a file or a copy with the text as its caption."""
    found = _kind(options, text)
    if text is not None and options.parse_mode is not None:
        found["parse_mode"] = options.parse_mode
    if options.buttons:
        found["buttons"] = [[button] for button in options.buttons]
    if options.no_preview:
        if found["type"] != "text":
            raise usage("--no-preview is for texts: a caption shows no preview")
        found["link_preview_options"] = {"is_disabled": True}
    simple = {
        "disable_notification": options.silent or None,
        "protect_content": options.protect or None,
        "message_thread_id": options.topic,
    }
    return found | {name: value for name, value in simple.items() if value is not None}


def edit(options: Namespace, text: str | None) -> dict[str, Any]:
    """What every message that was sent gets instead: a text, a caption, or nothing but buttons."""
    found: dict[str, Any] = {}
    if options.buttons or options.no_buttons:
        found["buttons"] = [[button] for button in options.buttons or []]
    if options.no_preview and (options.caption or text is None):
        raise usage("--no-preview is for texts: a caption shows no preview")
    if text is None:
        if not found or options.caption or options.parse_mode is not None:
            raise usage("there is nothing to change it to", "give the text, --file PATH, - for standard input")
        return {"type": "buttons", **found}
    kind = "caption" if options.caption else "text"
    found |= {"type": kind, kind: text}
    found |= {} if options.parse_mode is None else {"parse_mode": options.parse_mode}
    return found | ({"link_preview_options": {"is_disabled": True}} if options.no_preview else {})


def _kind(options: Namespace, text: str | None) -> dict[str, Any]:
    caption = {} if text is None else {"caption": text}
    for kind in _MEDIA:
        source = getattr(options, kind)
        if source is not None:
            if "://" not in source and Path(source).exists():
                upload = f"muster media upload {shlex.quote(source)}"
                raise usage(f"--{kind} is a file on this machine", f"{upload} gives the name to send it by: media:ID")
            return {"type": kind, "media": source, **caption}
    if options.copy is not None:
        return {"type": "copy", **options.copy, **caption}
    if text is None:
        raise usage("there is nothing to send", "give the text, --file PATH, - for standard input, or a file or copy")
    return {"type": "text", "text": text}


def targets(options: Namespace) -> dict[str, Any]:
    """All, or some by id and tag; less the excluded."""
    if options.all and (options.groups or options.tags):
        raise usage("--all is everybody: leave out --group and --tag", "--exclude-group and --exclude-tag narrow it")
    if not (options.all or options.groups or options.tags):
        raise usage("whom is it for?", "give --tag T, --group ID or --all; muster groups list shows them")
    found = {
        "all": options.all,
        "group_ids": options.groups,
        "tags": options.tags,
        "exclude_group_ids": options.exclude_groups,
        "exclude_tags": options.exclude_tags,
    }
    return {name: value for name, value in found.items() if value}


def bare(options: Namespace) -> bool:
    """Neither a file nor a copy, which can be without a text."""
    return all(getattr(options, name) is None for name in (*_MEDIA, "copy"))


def read(options: Namespace, standard_input: Any, *, needed: bool) -> str | None:
    """The text; where it is `needed` and not given, that of a pipe."""
    if options.file is not None and options.text is not None:
        raise usage("the text is given twice: as an argument and by --file")
    if options.file is not None and str(options.file) != "-":
        return _decoded(_bytes_of(options.file), str(options.file))
    if options.text == "-" or options.file is not None:
        return _decoded(standard_input.buffer.read(), "standard input")
    if options.text is None and needed and not standard_input.isatty():
        return _decoded(standard_input.buffer.read(), "standard input")
    given: str | None = options.text
    return given


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise usage(f"--file can't be read: {error.strerror}") from None


def _decoded(content: bytes, where: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise usage(f"{where} is not UTF-8") from None
    if not text.strip():
        raise usage(f"{where} is empty: there is nothing to send")
    return text.replace("\r\n", "\n").rstrip("\n")  # the last line's end belongs to the file, not to the message
