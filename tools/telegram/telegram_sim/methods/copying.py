"""copyMessage, copyMessages, forwardMessage."""

from __future__ import annotations

from typing import Any

from telegram_sim.conversation import Conversation, Message
from telegram_sim.errors import bad_request
from telegram_sim.groups import Group
from telegram_sim.methods.call import Call
from telegram_sim.methods.writing import draft, read_caption, write
from telegram_sim.permissions import check_inside
from telegram_sim.visibility import SERVICE_FIELDS

MOST_IDS = 100
CONTENT = (
    "text", "entities", "caption", "caption_entities", "photo", "video", "document", "audio", "sticker", "contact",
    "location", "voice", "poll", "media_group_id",
)  # fmt: skip


def copy_message(call: Call) -> dict[str, int]:
    """core.telegram.org/bots/api#copymessage: the content without its author."""
    original = source_message(call, "message to copy not found")
    content = content_of(original)
    content.pop("media_group_id", None)
    if call.params.has("caption") and "text" not in content:
        content = {name: value for name, value in content.items() if not name.startswith("caption")}
        content |= read_caption(call.params)
    return {"message_id": write(call, call.place(), content, kind=kind_of(content))["message_id"]}


def copy_messages(call: Call) -> list[dict[str, int]]:
    """core.telegram.org/bots/api#copymessages: what cannot be copied is left out."""
    source, target = source_of(call), call.place()
    found = [source.messages[number] for number in message_ids(call) if number in source.messages]
    contents = [content_of(message) for message in found if not is_service(message)]
    if not contents:
        raise bad_request("there are no messages to forward")
    return [{"message_id": post(call, target, content)["message_id"]} for content in contents]


def forward_message(call: Call) -> Message:
    """core.telegram.org/bots/api#forwardmessage: the content with its origin."""
    original = source_message(call, "message to forward not found")
    content = content_of(original)
    content.pop("media_group_id", None)
    author = original.get("from")
    origin: dict[str, Any] = {"type": "user", "sender_user": author, "date": original["date"]}
    if author is None:
        origin = {"type": "channel", "chat": original["chat"], "message_id": original["message_id"]}
        origin["date"] = original["date"]
    return post(call, call.place(), content | {"forward_origin": origin})


def post(call: Call, place: Conversation, content: dict[str, Any]) -> Message:
    """A message without buttons of its own."""
    message = draft(call, place, content, kind=kind_of(content))
    return place.store(message | {"message_id": place.next_message_id()})


def source_message(call: Call, missing: str) -> Message:
    """The message that from_chat_id and message_id name."""
    message = source_of(call).messages.get(call.params.integer("message_id"))
    if message is None:
        raise bad_request(missing)
    if is_service(message):
        raise bad_request("the message can't be copied" if "copy" in missing else "the message can't be forwarded")
    return message


def source_of(call: Call) -> Conversation:
    """The chat that from_chat_id names: a bot reads only where it is."""
    place = call.place("from_chat_id")
    if isinstance(place, Group):
        check_inside(call.bot, place)
    return place


def message_ids(call: Call) -> list[int]:
    """1 to 100 ids in ascending order."""
    wanted = call.params.structure("message_ids")
    if not isinstance(wanted, list) or not all(isinstance(number, int) for number in wanted):
        raise bad_request("can't parse message identifiers: expected an Array of Integer")
    if not wanted:
        raise bad_request("message identifiers are not specified")
    if len(wanted) > MOST_IDS:
        raise bad_request("too many message identifiers specified")
    return wanted


def content_of(message: Message) -> dict[str, Any]:
    """What a message says, without who, where and when."""
    return {name: message[name] for name in CONTENT if name in message}


def kind_of(content: dict[str, Any]) -> str:
    """Which permission such content needs."""
    return next((kind for kind in ("photo", "video", "document", "audio") if kind in content), "text")


def is_service(message: Message) -> bool:
    """True for joins, leaves, pins and the like."""
    return bool(SERVICE_FIELDS & message.keys())
