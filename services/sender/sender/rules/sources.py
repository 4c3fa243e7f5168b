"""Which files a call needs that Telegram may not have yet, and what it calls them in its answer. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_KINDS: Final = {"sendPhoto": "photo", "sendVideo": "video", "sendDocument": "document"}
_ALBUM: Final = "sendMediaGroup"
_MEDIA = re.compile(r"media:([1-9][0-9]{0,18})")
_FILE_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")  # Telegram's are base64; no address, and nothing that no row can hold
# Telegram may make one of these of a file, whatever it was sent as: a GIF becomes an animation.
_MADE_OF: Final = ("photo", "video", "animation", "document")


@dataclass(frozen=True, slots=True)
class Source:
    """`place` is the item's in an album, 0 elsewhere; `media_id` is None for an address that Telegram fetches."""

    place: int
    kind: str
    value: str
    media_id: int | None


def sources(content: Mapping[str, Any]) -> list[Source]:
    """Of ours and of addresses; a file_id that somebody gave is Telegram's already."""
    method, params = content["method"], content["params"]
    if method == _ALBUM:
        named = [(place, item["type"], item["media"]) for place, item in enumerate(params["media"])]
    elif method in _KINDS:
        named = [(0, _KINDS[method], params[_KINDS[method]])]
    else:
        named = []
    return [Source(place, kind, value, _media_id(value)) for place, kind, value in named if _is_ours(value)]


def with_files(method: str, params: dict[str, Any], files: Mapping[int, str]) -> dict[str, Any]:
    """The parameters with each place's file_id, address or attach:// name."""
    if not files:
        return params
    if method == _ALBUM:
        items = [item | ({"media": files[n]} if n in files else {}) for n, item in enumerate(params["media"])]
        return params | {"media": items}
    return params | {_KINDS[method]: files[0]}


def file_id(result: Any, place: int, kind: str) -> str | None:
    """From the answer: of a photo the largest size. None of what can't be one."""
    message = result[place] if isinstance(result, list) and place < len(result) else result
    if not isinstance(message, dict):
        return None
    found = next((message[made] for made in (kind, *_MADE_OF) if message.get(made)), None)
    last = found[-1] if isinstance(found, list) else found
    named = last.get("file_id") if isinstance(last, dict) else None
    return named if isinstance(named, str) and _FILE_ID.fullmatch(named) else None


def of_address(broadcast_id: int, address: str) -> bytes:
    """The key of an address, for one broadcast: the next one may find another file there."""
    return hashlib.sha256(f"{broadcast_id} {address}".encode()).digest()


def _is_ours(value: str) -> bool:
    return value.startswith(("media:", "https://"))


def _media_id(value: str) -> int | None:
    found = _MEDIA.fullmatch(value)
    return int(found[1]) if found else None
