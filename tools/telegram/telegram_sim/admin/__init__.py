"""The admin API: drives users and chats, and shows what the bots did."""

from __future__ import annotations
