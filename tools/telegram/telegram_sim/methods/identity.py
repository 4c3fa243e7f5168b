"""Who the bot is, and the two methods that end a session."""

from __future__ import annotations

from typing import Any

from telegram_sim.methods.call import Call


def get_me(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#getme."""
    return call.bot.as_me()


def log_out(_call: Call) -> bool:
    """core.telegram.org/bots/api#logout; there is no cloud to move to, so nothing changes."""
    return True


def close(_call: Call) -> bool:
    """core.telegram.org/bots/api#close; a simulated bot has no session to close."""
    return True
