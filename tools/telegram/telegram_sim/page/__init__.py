"""The page at /: be a user, write to a bot, press its buttons."""

from __future__ import annotations
