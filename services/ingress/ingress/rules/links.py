"""Addresses that are passed on to Telegram as text and never opened here (security.md, S11): public https, plainly
written.
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 2048
_HTTPS = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(?::443)?(?:[/?][!-~]*)?")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_PRIVATE: Final = frozenset(
    {"local", "localhost", "localdomain", "internal", "intranet", "lan", "home", "corp", "private", "arpa", "onion",
     "test", "example", "invalid", "svc", "cluster"}
)  # fmt: skip
_BUTTON = re.compile(r"(?:https?|tg)://[!-~]+")


def public_https(url: str) -> str:
    """The same; ValueError says what is wrong without repeating it."""
    found = _HTTPS.fullmatch(url) if len(url) <= MAX_LENGTH and not set(url) & set('\\<>"`{}|^') else None
    if found is None:
        raise ValueError("must be an https address without user, port or spaces")
    labels = found["host"].lower().split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("must name a public host")
    # A last label that begins with a digit makes the whole an address in numbers: 127.1, 0x7f.1.
    if labels[-1][0].isdigit() or labels[-1] in _PRIVATE:
        raise ValueError("must name a public host")
    return url


def button(url: str) -> str:
    """Opened by the reader's own client, so any host will do."""
    if len(url) > MAX_LENGTH or not _BUTTON.fullmatch(url):
        raise ValueError("must be an http, https or tg address")
    return url
