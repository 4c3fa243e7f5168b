"""deleteMessage and deleteMessages."""

from __future__ import annotations

from telegram_sim.conversation import Conversation, Message
from telegram_sim.errors import bad_request
from telegram_sim.groups import Group
from telegram_sim.methods.call import Call
from telegram_sim.methods.copying import message_ids
from telegram_sim.permissions import check_inside

DELETABLE = 48 * 3600  # seconds, core.telegram.org/bots/api#deletemessage


def delete_message(call: Call) -> bool:
    """core.telegram.org/bots/api#deletemessage."""
    place = reachable(call)
    message = place.messages.get(call.params.integer("message_id"))
    if message is None:
        raise bad_request("message to delete not found")
    refusal = why_not(call, place, message)
    if refusal:
        raise bad_request(refusal)
    del place.messages[message["message_id"]]
    return True


def delete_messages(call: Call) -> bool:
    """core.telegram.org/bots/api#deletemessages: what cannot be found is skipped."""
    numbers = message_ids(call)
    place = reachable(call)
    for number in numbers:
        message = place.messages.get(number)
        if message is not None and why_not(call, place, message) is None:
            del place.messages[number]
    return True


def reachable(call: Call) -> Conversation:
    """The chat, which a bot outside of it cannot touch."""
    place = call.place()
    if isinstance(place, Group):
        check_inside(call.bot, place)
    return place


def why_not(call: Call, place: Conversation, message: Message) -> str | None:
    """The refusal for a message the bot may not delete."""
    if call.world.clock.now() - message["date"] > DELETABLE:
        return "message can't be deleted for everyone"
    own = message.get("from", {}).get("id") == call.bot.id
    if own or not isinstance(place, Group) or place.member(call.bot.id).may("can_delete_messages"):
        return None
    return "message can't be deleted"
