"""Message text: parse modes, entities, lengths in UTF-16 units (core.telegram.org/bots/api#formatting-options)."""

from __future__ import annotations
