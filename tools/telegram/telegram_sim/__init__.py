"""A simulated Telegram: the Bot API's wire format on loopback, with every effect on record."""

from __future__ import annotations
