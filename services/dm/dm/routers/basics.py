"""/start, /help, /account, /stop, /cancel: what works in any state."""

from __future__ import annotations

from aiogram import Router
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.types import Message

from dm.calls import Calls
from dm.conversation import Conversation
from dm.payload import parse_payload


async def start(message: Message, command: CommandObject, conversation: Conversation) -> Calls:
    """Begins, or begins again; the payload of a deep link is kept from the first time."""
    name = message.from_user.first_name if message.from_user else ""
    again = conversation.dialogue.status != "new"
    conversation.set_status("active")
    lines = [conversation.say("start_again" if again else "start", name=name)]
    payload = parse_payload(command.args)
    if payload is not None and conversation.dialogue.start_payload is None:
        conversation.change(start_payload=payload.raw)
        lines.append(conversation.say("start_payload"))
    return message.answer("\n".join(lines))


async def help_(message: Message, conversation: Conversation) -> Calls:
    """The list of commands."""
    return message.answer(conversation.say("help"))


async def account(message: Message, conversation: Conversation) -> Calls:
    """What Muster knows about who asks."""
    dialogue = conversation.dialogue
    unasked = "unasked_yes" if dialogue.status == "active" else "unasked_no"
    text = conversation.say(
        "account",
        name=message.from_user.full_name if message.from_user else "",
        user_id=dialogue.user_id,
        language=conversation.languages[conversation.language],
        since=dialogue.created_at.date().isoformat(),
        unasked=conversation.say(unasked),
    )
    return message.answer(text)


async def stop(message: Message, conversation: Conversation) -> Calls:
    """The user is not written to unasked any more; commands are still answered."""
    conversation.set_status("stopped")
    return message.answer(conversation.say("stop"))


async def cancel(message: Message, conversation: Conversation, raw_state: str | None) -> Calls:
    """Says whether there was a conversation to leave: any command leaves it (`CommandLeavesMiddleware`)."""
    return message.answer(conversation.say("cancel" if raw_state else "cancel_nothing"))


def build() -> Router:
    """A new router each time: aiogram's belong to one dispatcher."""
    router = Router(name="basics")
    router.message.register(start, CommandStart())
    router.message.register(help_, Command("help"))
    router.message.register(account, Command("account"))
    router.message.register(stop, Command("stop"))
    router.message.register(cancel, Command("cancel"))
    return router
