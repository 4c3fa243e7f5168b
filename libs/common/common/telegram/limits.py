"""What Telegram counts against a bot's messages a second. Pure."""

from __future__ import annotations


def counts(method: str) -> bool:
    """Messages and their edits; answers to buttons, reads and chat actions cost nothing (telegram.md, limits)."""
    return method.startswith(("send", "copy", "forward", "edit")) and method != "sendChatAction"
