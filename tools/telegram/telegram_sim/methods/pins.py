"""pinChatMessage, unpinChatMessage."""

from __future__ import annotations

from telegram_sim.conversation import Conversation
from telegram_sim.errors import bad_request
from telegram_sim.groups import Group
from telegram_sim.membership import post
from telegram_sim.methods.call import Call
from telegram_sim.permissions import check_right


def pin_chat_message(call: Call) -> bool:
    """core.telegram.org/bots/api#pinchatmessage."""
    place = pinning(call)
    message = place.messages.get(call.params.integer("message_id"))
    if message is None:
        raise bad_request("message to pin not found")
    if message["message_id"] in place.pinned:
        place.pinned.remove(message["message_id"])
    place.pinned.append(message["message_id"])
    if isinstance(place, Group):
        post(call.world, place, {"from": call.bot.as_user(), "pinned_message": message}, silent_for=call.bot.id)
    return True


def unpin_chat_message(call: Call) -> bool:
    """core.telegram.org/bots/api#unpinchatmessage: without an id the newest pin goes."""
    place = pinning(call)
    message_id = call.params.integer("message_id") or (place.pinned[-1] if place.pinned else 0)
    if message_id not in place.pinned:
        raise bad_request("message to unpin not found")
    place.pinned.remove(message_id)
    return True


def pinning(call: Call) -> Conversation:
    """A chat in which the bot may pin; in private chats it always may."""
    place = call.place()
    if isinstance(place, Group):
        check_right(call.bot, place, "can_pin_messages", "not enough rights to manage pinned messages in the chat")
    return place
