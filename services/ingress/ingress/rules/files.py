"""What an uploaded file is, by its first bytes, and what Telegram would take it as. Pure."""

from __future__ import annotations

import re
from typing import Final, Literal

Kind = Literal["photo", "video", "document"]
MIB: Final = 1 << 20
PHOTO_LIMIT, FILE_LIMIT = 10 * MIB, 50 * MIB  # bytes (Bot API, "Sending files")
HEAD: Final = 16  # bytes that tell
_PHOTOS: Final = frozenset({"image/jpeg", "image/png", "image/webp"})
_VIDEO: Final = "video/mp4"
_KNOWN: Final = (*sorted(_PHOTOS), "image/gif", _VIDEO)  # those whose bytes must agree with what is said of them
_ANY: Final = "application/octet-stream"
_MIME = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
# Nor what turns the direction of reading, which makes an ending look like another.
_NAME = re.compile(r"[^\x00-\x1f\x7f\"\\/\u2028-\u202e\u2066-\u2069]{1,128}")
_LONGEST: Final = 200  # bytes of a name


def mime_of(head: bytes, said: str) -> str:
    """By the bytes where they tell, else as said; ValueError where the two disagree."""
    found, said = _sniffed(head), said.partition(";")[0].strip().lower()
    if found is None and said in _KNOWN:
        raise ValueError(f"the file does not begin as {said} does")
    if found is not None and said in _KNOWN and said != found:
        raise ValueError(f"the file is {found}, not {said}")
    return found or (said if _MIME.fullmatch(said) else _ANY)


def kinds_of(mime: str, size: int) -> list[Kind]:
    """Everything may be a document."""
    kinds: list[Kind] = []
    if mime in _PHOTOS and size <= PHOTO_LIMIT:
        kinds.append("photo")
    if mime == _VIDEO:
        kinds.append("video")
    return [*kinds, "document"]


def name_of(said: str) -> str:
    """Without the folders that some clients send; ValueError for one that can't stand in a header."""
    name = re.split(r"[\\/]", said)[-1].strip()
    if not _NAME.fullmatch(name) or len(name.encode()) > _LONGEST:
        raise ValueError("a file's name has 1 to 128 characters, none of them a quotation mark or a control character")
    return name


def _sniffed(head: bytes) -> str | None:
    for start, mime in ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif")):
        if head.startswith(start):
            return mime
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return _VIDEO if head[4:8] == b"ftyp" else None
