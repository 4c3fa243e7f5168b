"""createForumTopic, closeForumTopic, reopenForumTopic, deleteForumTopic."""

from __future__ import annotations

from typing import Any

from telegram_sim.errors import bad_request
from telegram_sim.forum import add_topic, drop_topic, set_closed
from telegram_sim.groups import Group, Topic
from telegram_sim.methods.call import Call
from telegram_sim.permissions import check_right


def create_forum_topic(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#createforumtopic."""
    group = managing(call)
    if not call.params.text("name").strip():
        raise bad_request("TOPIC_TITLE_EMPTY")
    return add_topic(call.world, group, call.params.text("name"), author=call.bot.as_user()).as_json()


def close_forum_topic(call: Call) -> bool:
    """core.telegram.org/bots/api#closeforumtopic."""
    group = managing(call)
    set_closed(call.world, group, topic_of(call, group), closed=True, author=call.bot.as_user())
    return True


def reopen_forum_topic(call: Call) -> bool:
    """core.telegram.org/bots/api#reopenforumtopic."""
    group = managing(call)
    set_closed(call.world, group, topic_of(call, group), closed=False, author=call.bot.as_user())
    return True


def delete_forum_topic(call: Call) -> bool:
    """core.telegram.org/bots/api#deleteforumtopic."""
    group = managing(call)
    drop_topic(group, topic_of(call, group))
    return True


def managing(call: Call) -> Group:
    """A forum in which the bot may manage topics."""
    group = call.group()
    if not group.is_forum:
        raise bad_request("the chat is not a forum")
    check_right(call.bot, group, "can_manage_topics", "not enough rights to create a topic")
    return group


def topic_of(call: Call, group: Group) -> Topic:
    """The topic a parameter names."""
    topic = group.topics.get(call.params.integer("message_thread_id"))
    if topic is None:
        raise bad_request("TOPIC_ID_INVALID")
    return topic
