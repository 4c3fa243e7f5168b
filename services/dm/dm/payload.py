"""The payload of a deep link `t.me/<bot>?start=<payload>`: 1-64 of A-Za-z0-9_- (Bot API, deep linking). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ALPHABET = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Payload:
    """`<kind>_<value>` where it has that form, e.g. `ref_ada`; a bare word is a kind without a value."""

    raw: str
    kind: str
    value: str


def parse_payload(text: str | None) -> Payload | None:
    """None for no payload and for one that no link can carry: it was typed by hand."""
    if text is None or not _ALPHABET.fullmatch(text):
        return None
    kind, _, value = text.partition("_")
    return Payload(text, kind.lower(), value)
