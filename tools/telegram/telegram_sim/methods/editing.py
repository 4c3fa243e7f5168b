"""editMessageText, editMessageCaption, editMessageReplyMarkup."""

from __future__ import annotations

from typing import Any

from telegram_sim.conversation import Conversation, Message
from telegram_sim.errors import bad_request
from telegram_sim.markup.keyboards import read_markup
from telegram_sim.methods.call import Call
from telegram_sim.methods.writing import read_caption, read_text
from telegram_sim.permissions import check_can_write

UNCHANGED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


def edit_message_text(call: Call) -> Message:
    """core.telegram.org/bots/api#editmessagetext."""
    fields = read_text(call.params)
    place, message = own_message(call)
    if "text" not in message:
        raise bad_request("there is no text in the message to edit")
    return replace(call, place, message, fields, gone=("text", "entities", "reply_markup"))


def edit_message_caption(call: Call) -> Message:
    """core.telegram.org/bots/api#editmessagecaption."""
    fields = read_caption(call.params)
    place, message = own_message(call)
    if "text" in message:
        raise bad_request("there is no caption in the message to edit")
    return replace(call, place, message, fields, gone=("caption", "caption_entities", "reply_markup"))


def edit_message_reply_markup(call: Call) -> Message:
    """core.telegram.org/bots/api#editmessagereplymarkup."""
    place, message = own_message(call)
    return replace(call, place, message, {}, gone=("reply_markup",))


def own_message(call: Call) -> tuple[Conversation, Message]:
    """A message the bot wrote itself, in a chat it may still write to."""
    if not call.params.has("chat_id") and not call.params.has("inline_message_id"):
        raise bad_request("chat_id is empty")
    if not call.params.integer("message_id"):
        raise bad_request("message identifier is not specified")
    place = call.place()
    check_can_write(call.bot, place, kind="text", now=call.world.clock.now())
    message = place.messages.get(call.params.integer("message_id"))
    if message is None:
        raise bad_request("message to edit not found")
    posted = place.kind == "channel" and "from" not in message
    if not posted and message.get("from", {}).get("id") != call.bot.id:
        raise bad_request("message can't be edited")
    return place, message


def replace(
    call: Call, place: Conversation, message: Message, fields: dict[str, Any], *, gone: tuple[str, ...]
) -> Message:
    """Stores the edited message; one that stays the same is refused."""
    edited = {name: value for name, value in message.items() if name not in gone} | fields
    markup = read_markup(call.params.structure("reply_markup"))
    if markup:
        edited["reply_markup"] = markup
    if edited == message:
        raise bad_request(UNCHANGED)
    return place.store(edited | {"edit_date": int(call.world.clock.now())})
