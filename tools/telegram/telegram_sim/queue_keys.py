"""Which updates must wait for each other (W4): one queue per key, one update of a queue in flight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MESSAGE_KINDS = frozenset({"message", "edited_message", "channel_post", "edited_channel_post"})
DAY = 86_400  # seconds, how long most updates are kept (W6)
PRESS = 150  # seconds, callback and pre-checkout queries (W6)
INLINE = 30  # seconds, inline queries (W6)
OPTIONAL_KINDS = frozenset({"chat_member", "message_reaction", "message_reaction_count"})  # not sent by default (W11)


def queue_key(kind: str, payload: Any, *, bot_id: int) -> int:
    """The key Telegram computes for an update; 0 means an own queue for this one update."""
    if not isinstance(payload, Mapping):
        return 0
    chat, sender, member = id_of(payload, "chat"), id_of(payload, "from"), changed_member(payload)
    by_kind = {
        "callback_query": sender + (3 << 33),
        "my_chat_member": chat + (5 << 33),
        "chat_member": chat + (5 << 33) if member == bot_id else member + (6 << 33),
        "chat_join_request": sender + (6 << 33),
        "message_reaction": chat + (8 << 33),
        "message_reaction_count": chat + (8 << 33),
    }
    return chat if kind in MESSAGE_KINDS else by_kind.get(kind, 0)


def changed_member(payload: Mapping[str, Any]) -> int:
    """Whose membership changed: the member, not the admin who did it."""
    return id_of(payload.get("new_chat_member"), "user") or id_of(payload, "from")


def id_of(payload: Any, name: str) -> int:
    """The integer id of a nested object, 0 when a poisoned update has none."""
    nested = payload.get(name) if isinstance(payload, Mapping) else None
    found = nested.get("id") if isinstance(nested, Mapping) else None
    return found if isinstance(found, int) else 0


def lifetime(kind: str) -> int:
    """Seconds after which Telegram drops an undelivered update (W6)."""
    if kind in {"callback_query", "pre_checkout_query", "shipping_query"}:
        return PRESS
    return INLINE if kind == "inline_query" else DAY


def is_allowed(kind: str, allowed: frozenset[str]) -> bool:
    """Whether a bot with this allowed_updates gets such an update; an empty set is the default set (W11)."""
    return kind in allowed if allowed else kind not in OPTIONAL_KINDS
