"""sendMessage and what every message that a bot writes has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telegram_sim.conversation import Conversation, Message
from telegram_sim.errors import bad_request
from telegram_sim.methods.call import Call
from telegram_sim.permissions import check_can_write

TEXT_LIMIT = 4096  # UTF-16 units after entities are parsed


def send_message(call: Call) -> Message:
    """core.telegram.org/bots/api#sendmessage."""
    place = call.place()
    text = call.params.text("text")
    if not text.strip():
        raise bad_request("message text is empty")
    if len(text.encode("utf-16-le")) // 2 > TEXT_LIMIT:
        raise bad_request("message is too long")
    return write(call, place, {"text": text})


def write(call: Call, place: Conversation, content: Mapping[str, Any]) -> Message:
    """Stores the bot's message in a chat it may write to."""
    check_can_write(call.bot, place, now=call.world.clock.now())
    message: Message = {
        "message_id": place.next_message_id(),
        "from": call.bot.as_user(),
        "chat": place.as_json(),
        "date": int(call.world.clock.now()),
        **content,
    }
    markup = call.params.structure("reply_markup")
    if isinstance(markup, dict) and "inline_keyboard" in markup:
        message["reply_markup"] = markup
    return place.store(message)
