"""sendMessage and sendChatAction."""

from __future__ import annotations

from telegram_sim.conversation import Message
from telegram_sim.errors import bad_request
from telegram_sim.methods.call import Call
from telegram_sim.methods.writing import read_text, write
from telegram_sim.permissions import check_can_write

ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


def send_message(call: Call) -> Message:
    """core.telegram.org/bots/api#sendmessage; the markup is read before the chat, as on the real server."""
    content = read_text(call.params)
    return write(call, call.place(), content)


def send_chat_action(call: Call) -> bool:
    """core.telegram.org/bots/api#sendchataction."""
    if call.params.text("action") not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    check_can_write(call.bot, call.place(), kind="text", now=call.world.clock.now())
    return True
