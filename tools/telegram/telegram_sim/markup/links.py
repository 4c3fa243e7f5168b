"""Which URLs a text link takes, and what becomes of them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from telegram_sim.markup.builder import Entity

MENTION_URL = re.compile(r"tg://user\?id=(\d+)", re.IGNORECASE)


def link_entity(url: str) -> Entity | None:
    """A text_link or text_mention, None for a URL that Telegram drops without a word."""
    mention = MENTION_URL.fullmatch(url.strip())
    if mention:
        return {"type": "text_mention", "user": {"id": int(mention[1]), "is_bot": False, "first_name": ""}}
    whole = normal_url(url)
    return {"type": "text_link", "url": whole} if whole else None


def normal_url(url: str) -> str | None:
    """With a scheme and at least a slash for a path; None when the host cannot be one."""
    if not url or any(letter.isspace() for letter in url):
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme in {"tg", "ton", "tonsite"}:
        return url
    if parts.scheme not in {"http", "https"} or ("." not in host and host != "localhost"):
        return None
    whole = parts._replace(path=parts.path or "/")
    return whole.geturl()
