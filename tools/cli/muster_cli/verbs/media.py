"""`muster media`: files that messages name as `media:<id>`."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any, Final

from muster_cli import figures, kinds, options
from muster_cli.errors import OK, usage
from muster_cli.listing import listed
from muster_cli.options import Context

_PATH: Final = "/api/media"
_LARGEST: Final = 50 * 1024 * 1024  # bytes, the API's own limit


def add(verbs: options.Verbs) -> None:
    """To the parser."""
    here = options.group(verbs, "media", "files for messages: upload, list and delete them")
    options.limited(options.leaf(here, "list", "the newest first", _list, "media list"), 50)
    examples = ("media upload map.png", "media upload news.pdf --keep 7d --json | jq -r .media")
    uploading = options.leaf(
        here, "upload", "keep a file of up to 50 MiB; messages name it media:ID", _upload, *examples
    )
    uploading.add_argument("path", type=Path, metavar="PATH")
    what = "how long it is kept (30d); longer where an accepted broadcast needs it"
    uploading.add_argument("--keep", type=kinds.duration, metavar="DURATION", help=what)
    options.repeatable(uploading)
    showing = options.leaf(here, "show", "what is known of one", _show, "media show 7")
    showing.add_argument("media_id", type=kinds.media, metavar="ID")
    what = "for good; what was sent stays in its groups"
    deleting = options.leaf(here, "delete", what, _delete, "media delete 7 --yes")
    deleting.add_argument("media_id", type=kinds.media, metavar="ID")
    options.askable(deleting)
    options.repeatable(deleting)


def _list(context: Context) -> int:
    empty = "No file is kept, or none that this key may see.", "next: muster media upload PATH"
    columns = ("MEDIA", "NAME", "TYPE", "BYTES#", "AS", "UPLOADED", "KEPT UNTIL")
    return listed(context, _PATH, columns, _row, empty=empty)


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    what = row["media"], row["name"], row["mime"], f"{row['size']:,}", ", ".join(row["kinds"])
    return *what, figures.brief(row["created_at"]), figures.brief(row["expires_at"])


def _upload(context: Context) -> int:
    given = context.options
    content = _read(given.path)
    mime = mimetypes.guess_type(given.path.name)[0] or "application/octet-stream"
    keep = {"expires_in_seconds": given.keep}
    found = context.client.upload(_PATH, (given.path.name, content, mime), keep, key=given.idempotency_key)
    if context.screen.as_json:
        context.screen.document(found)
        return OK
    context.screen.line(found["media"])
    kept = f"kept until {figures.when(found['expires_at'])}"
    context.screen.note(f"{found['name']} ({found['mime']}, {found['size']:,} bytes), {kept}")
    kind = found["kinds"][0]
    context.screen.note(f"next: muster send --{kind} {found['media']} --tag T --dry-run")
    return OK


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise usage(f"{path} can't be read: {error.strerror}") from None
    if len(content) > _LARGEST:
        raise usage(f"{path} has more than 50 MiB")
    return content


def _show(context: Context) -> int:
    found = _get(context)
    if context.screen.as_json:
        context.screen.document(found)
        return OK
    context.screen.facts(
        [
            ("media", found["media"]),
            ("name", found["name"]),
            ("type", found["mime"]),
            ("bytes", f"{found['size']:,}"),
            ("can be sent as", ", ".join(found["kinds"])),
            ("sha256", found["sha256"]),
            ("uploaded", figures.when(found["created_at"])),
            ("kept until", figures.when(found["expires_at"])),
        ]
    )
    return OK


def _get(context: Context) -> dict[str, Any]:
    return context.client.get(f"{_PATH}/{context.options.media_id}")


def _delete(context: Context) -> int:
    given = context.options
    if not given.yes:
        found = _get(context)
        if not context.screen.confirmed(f"Delete {found['media']} ({found['name']}) for good?"):
            raise usage("nothing was changed")
    found = context.client.delete(f"{_PATH}/{given.media_id}", key=given.idempotency_key)
    if context.screen.as_json:
        context.screen.document(found)
    else:
        context.screen.line(f"{found['media']} ({found['name']}) is deleted.")
    return OK
