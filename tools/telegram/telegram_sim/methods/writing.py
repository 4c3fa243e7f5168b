"""What every message that a bot writes has in common: where it goes, what it answers, its buttons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telegram_sim.conversation import Conversation, Dialog, Message
from telegram_sim.errors import bad_request
from telegram_sim.groups import Group
from telegram_sim.markup.builder import Entity, utf16_length
from telegram_sim.markup.compose import compose
from telegram_sim.markup.keyboards import read_markup, read_reply_keyboard
from telegram_sim.methods.call import Call
from telegram_sim.params import Params
from telegram_sim.permissions import check_can_write

TEXT_LIMIT = 4096  # UTF-16 units after the marks are taken out
CAPTION_LIMIT = 1024


def write(call: Call, place: Conversation, content: Mapping[str, Any], *, kind: str = "text") -> Message:
    """Stores the bot's message in a chat it may write to."""
    message = draft(call, place, content, kind=kind)
    given = call.params.structure("reply_markup")
    markup, keyboard = read_markup(given), read_reply_keyboard(given)
    if markup:
        message["reply_markup"] = markup
    if keyboard is not None and isinstance(place, Dialog):
        place.keyboard = keyboard
    message["message_id"] = place.next_message_id()
    return place.store(message)


def draft(call: Call, place: Conversation, content: Mapping[str, Any], *, kind: str) -> Message:
    """A message that passed every check but has no id yet: refused sends use no ids up."""
    check_can_write(call.bot, place, kind=kind, now=call.world.clock.now())
    author = {"sender_chat": place.as_json()} if place.kind == "channel" else {"from": call.bot.as_user()}
    message: Message = {"message_id": 0, **author, "chat": place.as_json(), "date": int(call.world.clock.now())}
    message |= thread(call, place) | reply(call, place) | dict(content)
    if call.params.flag("protect_content"):
        message["has_protected_content"] = True
    return message


def thread(call: Call, place: Conversation) -> dict[str, Any]:
    """The forum topic a message goes to; the general one cannot be named, not even by its id 1."""
    topic_id = call.params.integer("message_thread_id")
    if topic_id == 0:
        return {}
    topic = place.topics.get(topic_id) if isinstance(place, Group) else None
    if topic is None:
        raise bad_request("message thread not found")
    if topic.closed and isinstance(place, Group) and not place.member(call.bot.id).may("can_manage_topics"):
        raise bad_request("TOPIC_CLOSED")
    return {"message_thread_id": topic_id, "is_topic_message": True}


def reply(call: Call, place: Conversation) -> dict[str, Any]:
    """The message it answers, from either of the two parameters."""
    wanted = call.params.structure("reply_parameters") or {}
    if not isinstance(wanted, dict):
        raise bad_request("object expected as reply parameters")
    message_id = Params(wanted).integer("message_id") or call.params.integer("reply_to_message_id")
    if not message_id:
        return {}
    original = place.messages.get(message_id)
    if original is None:
        lenient = Params(wanted).flag("allow_sending_without_reply") or call.params.flag("allow_sending_without_reply")
        if lenient:
            return {}
        raise bad_request("message to be replied not found")
    return {"reply_to_message": {name: value for name, value in original.items() if name != "reply_to_message"}}


def read_text(params: Params) -> dict[str, Any]:
    """text and entities of a text message."""
    text, entities = compose(params.text("text"), params.text("parse_mode"), params.structure("entities"))
    if not text:
        raise bad_request("message text is empty")
    if utf16_length(text) > TEXT_LIMIT:
        raise bad_request("message is too long")
    fields: dict[str, Any] = {"text": text}
    return fields | ({"entities": entities} if entities else {})


def read_caption(params: Params) -> dict[str, Any]:
    """caption and caption_entities, both optional."""
    caption, entities = compose(params.text("caption"), params.text("parse_mode"), params.structure("caption_entities"))
    if utf16_length(caption) > CAPTION_LIMIT:
        raise bad_request("message caption is too long")
    return caption_fields(caption, entities)


def caption_fields(caption: str, entities: list[Entity]) -> dict[str, Any]:
    """Only what is there."""
    fields: dict[str, Any] = {"caption": caption} if caption else {}
    return fields | ({"caption_entities": entities} if caption and entities else {})
