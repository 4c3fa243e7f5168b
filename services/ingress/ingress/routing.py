"""Where an update goes, as one pure function over raw JSON. Unknown fields and kinds pass through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from common.queues import DM_QUEUE, TGMS_QUEUE

_INT64 = 2**63
_JOIN_REQUEST = "process_join_request"
_CHAT_MEMBER = "process_chat_member"
_BOT_MEMBERSHIP = "process_bot_membership"
_MIGRATION = "process_migration"
_SERVICE = "process_service_message"
_ACTIVITY = "record_activity"
_COMMAND = "process_group_command"
_PRIVATE = "process_private_message"

# What a message holds when something happened in the chat instead of somebody speaking (Bot API, Message).
_SERVICE_FIELDS: Final = frozenset(
    {
        "boost_added", "channel_chat_created", "chat_background_set", "chat_owner_changed", "chat_owner_left",
        "chat_shared", "checklist_tasks_added", "checklist_tasks_done", "community_chat_added",
        "community_chat_joined", "community_chat_removed", "delete_chat_photo", "direct_message_price_changed",
        "forum_topic_closed", "forum_topic_created", "forum_topic_edited", "forum_topic_reopened",
        "general_forum_topic_hidden", "general_forum_topic_unhidden", "gift", "gift_upgrade_sent",
        "giveaway_completed", "giveaway_created", "group_chat_created", "left_chat_member", "managed_bot_created",
        "message_auto_delete_timer_changed", "new_chat_members", "new_chat_photo", "new_chat_title",
        "paid_message_price_changed", "pinned_message", "poll_option_added", "poll_option_deleted",
        "proximity_alert_triggered", "refunded_payment", "successful_payment", "suggested_post_approval_failed",
        "suggested_post_approved", "suggested_post_declined", "suggested_post_paid", "suggested_post_refunded",
        "supergroup_chat_created", "unique_gift", "user_shared", "users_shared", "video_chat_ended",
        "video_chat_participants_invited", "video_chat_scheduled", "video_chat_started", "web_app_data",
        "write_access_allowed",
    }
)  # fmt: skip
_MESSAGES: Final = ("message", "edited_message")
_ACTIVITIES: Final = ("message_reaction", "message_reaction_count", "poll_answer")
# Kinds that Muster has no use for: taken, answered 200, so that they block nobody.
_UNUSED: Final = frozenset(
    {
        "channel_post", "edited_channel_post", "business_connection", "business_message", "edited_business_message",
        "deleted_business_messages", "inline_query", "chosen_inline_result", "shipping_query", "pre_checkout_query",
        "purchased_paid_media", "poll", "chat_boost", "removed_chat_boost", "managed_bot",
        "guest_message", "subscription", "stopped_message_generation",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """The queue, the job's kind, and for a private chat whose order it is part of."""

    queue: str
    kind: str
    update_id: int
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood, and nothing to do."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Not an update as Telegram writes them: kept in quarantine."""

    reason: str


def route(update: object) -> Route | Ignored | Unreadable:
    """Never raises, whatever JSON it is given."""
    if not isinstance(update, dict):
        return Unreadable("not a JSON object")
    update_id = _int(update.get("update_id"))
    if update_id is None or update_id < 0:
        return Unreadable("no usable update_id")
    for name in _MESSAGES:
        if name in update:
            return _message(update_id, update[name])
    if "callback_query" in update:
        return _callback(update_id, update["callback_query"])
    if "my_chat_member" in update:
        return _membership(update_id, update["my_chat_member"])
    if "chat_member" in update:
        return Route(TGMS_QUEUE.name, _CHAT_MEMBER, update_id)
    if "chat_join_request" in update:
        return Route(TGMS_QUEUE.name, _JOIN_REQUEST, update_id)
    if any(name in update for name in _ACTIVITIES):
        return Route(TGMS_QUEUE.name, _ACTIVITY, update_id)
    unused = next((name for name in update if name in _UNUSED), None)
    return Ignored(unused or "unknown_kind")


def _message(update_id: int, message: object) -> Route | Ignored | Unreadable:
    chat, kind = _chat(message)
    if not isinstance(message, dict) or chat is None:
        return Unreadable("a message without a usable chat")
    if kind == "private":
        return _private(update_id, message.get("from"), chat)
    if kind == "channel":
        return Ignored("channel")
    if "migrate_to_chat_id" in message or "migrate_from_chat_id" in message:
        return Route(TGMS_QUEUE.name, _MIGRATION, update_id)
    if not _SERVICE_FIELDS.isdisjoint(message):
        return Route(TGMS_QUEUE.name, _SERVICE, update_id)
    return Route(TGMS_QUEUE.name, _COMMAND if _is_command(message) else _ACTIVITY, update_id)


def _callback(update_id: int, query: object) -> Route | Ignored | Unreadable:
    if not isinstance(query, dict):
        return Unreadable("a callback that is no object")
    _, kind = _chat(query.get("message"))
    if kind in {"group", "supergroup", "channel"}:
        return Route(TGMS_QUEUE.name, _COMMAND, update_id)
    return _private(update_id, query.get("from"), None)


def _membership(update_id: int, member: object) -> Route | Ignored | Unreadable:
    chat, kind = _chat(member)
    if not isinstance(member, dict) or chat is None:
        return Unreadable("a membership without a usable chat")
    if kind == "private":
        return _private(update_id, member.get("from"), chat)
    return Route(TGMS_QUEUE.name, _BOT_MEMBERSHIP, update_id)


def _private(update_id: int, sender: object, chat_id: int | None) -> Route | Unreadable:
    user_id = _int(sender.get("id")) if isinstance(sender, dict) else chat_id
    if user_id is None:
        return Unreadable("a private update without a usable user")
    return Route(DM_QUEUE.name, _PRIVATE, update_id, user_id)


def _is_command(message: dict[str, Any]) -> bool:
    entities = message.get("entities")
    return isinstance(entities, list) and any(
        isinstance(e, dict) and e.get("type") == "bot_command" and e.get("offset") == 0 for e in entities
    )


def _chat(holder: object) -> tuple[int | None, str | None]:
    chat = holder.get("chat") if isinstance(holder, dict) else None
    if not isinstance(chat, dict):
        return None, None
    kind = chat.get("type")
    return _int(chat.get("id")), kind if isinstance(kind, str) else None


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64 else None
