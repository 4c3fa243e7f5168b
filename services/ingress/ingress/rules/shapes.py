"""Texts of a certain shape: patterns for OpenAPI, and in words for whoever wrote another. Pure."""

from __future__ import annotations

from typing import Final

TAG: Final = r"^[^\x00-\x20\x7f,](?:[^\x00-\x1f\x7f,]{0,62}[^\x00-\x20\x7f,])?$"
VARIABLE: Final = r"^[a-z_][a-z0-9_]{0,31}$"
TIMEZONE: Final = r"^[A-Za-z0-9_+/-]{1,64}$"
EVENT: Final = r"^evt_[1-9][0-9]{0,18}$"
KEY: Final = "^[0-9A-Za-z]{12}$"
OBJECT: Final = "^[0-9A-Za-z_-]{1,64}$"
CURSOR: Final = "^[A-Za-z0-9_-]+$"
ONCE: Final = r"^[\x21-\x7e]+$"
WORDS: Final = {
    TAG: "a tag has 1 to 64 characters, no comma or control character, and no space at its ends",
    VARIABLE: "a variable's name has up to 32 small letters, digits and _, and begins with no digit",
    TIMEZONE: "is no name of the time zone database, like Europe/Berlin",
    EVENT: "must be an event's id, like evt_12",
    KEY: "must be a key's id: 12 letters and digits",
    OBJECT: "must be an id: up to 64 letters, digits, _ and -",
    CURSOR: "must be the next_cursor of a page",
    ONCE: "must have printable ASCII alone, and no space",
}
