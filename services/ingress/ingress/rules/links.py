"""Addresses that are passed on to Telegram as text and never opened here: public https, plainly written."""

from __future__ import annotations

import re

from common.addresses import MAX_LENGTH, public_https

__all__ = ["button", "public_https"]
_BUTTON = re.compile(r"(?:https?|tg)://[!-~]+")


def button(url: str) -> str:
    """Opened by the reader's own client, so any host will do."""
    if len(url) > MAX_LENGTH or not _BUTTON.fullmatch(url):
        raise ValueError("must be an http, https or tg address")
    return url
