"""Forum topics and the service messages about them."""

from __future__ import annotations

from typing import Any

from telegram_sim.groups import Group, Topic
from telegram_sim.membership import post
from telegram_sim.world import World


def add_topic(world: World, group: Group, name: str, *, author: dict[str, Any]) -> Topic:
    """A topic; the service message that announces it gives it its id."""
    topic = Topic(group.last_message_id + 1, name)
    group.topics[topic.id] = topic
    created = {"name": name, "icon_color": topic.icon_color}
    announce(world, group, topic, {"forum_topic_created": created}, author=author)
    return topic


def set_closed(world: World, group: Group, topic: Topic, *, closed: bool, author: dict[str, Any]) -> None:
    """Closes or reopens a topic."""
    topic.closed = closed
    announce(world, group, topic, {"forum_topic_closed" if closed else "forum_topic_reopened": {}}, author=author)


def drop_topic(group: Group, topic: Topic) -> None:
    """Deletes a topic and all that was said in it."""
    del group.topics[topic.id]
    for number in [n for n, message in group.messages.items() if message.get("message_thread_id") == topic.id]:
        del group.messages[number]


def announce(world: World, group: Group, topic: Topic, fields: dict[str, Any], *, author: dict[str, Any]) -> None:
    """A service message inside the topic, which its author bot does not get (U3)."""
    place = {"message_thread_id": topic.id, "is_topic_message": True}
    post(world, group, {"from": author, **place, **fields}, silent_for=author["id"])
