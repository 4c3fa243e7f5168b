"""/feedback: a topic, then a text. The steps are in the dialogue's row, so that a restart does not lose them."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.filters import Command, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from dm.calls import Calls
from dm.conversation import Conversation
from dm.routers.editing import replace_text

PREFIX = "feedback:"
TOPICS = ("idea", "problem", "praise")
NO_TOPIC = "none"
LIMIT = 2000  # characters


class Feedback(StatesGroup):
    """The names are in the database: a release must not change them."""

    topic = State()
    text = State()


async def ask(message: Message, conversation: Conversation, state: FSMContext) -> Calls:
    """Step one."""
    await state.set_state(Feedback.topic)
    buttons = [InlineKeyboardButton(text=conversation.say(f"feedback_{t}"), callback_data=PREFIX + t) for t in TOPICS]
    return message.answer(
        conversation.say("feedback_ask"), reply_markup=InlineKeyboardMarkup(inline_keyboard=[buttons])
    )


async def choose(query: CallbackQuery, conversation: Conversation, state: FSMContext) -> Calls:
    """Step two; a button pressed again, or after the conversation, changes nothing."""
    topic = (query.data or "").removeprefix(PREFIX)
    if topic not in TOPICS or await state.get_state() != Feedback.topic.state:
        return query.answer(conversation.say("button_old"))
    await state.set_state(Feedback.text)
    await state.set_data({"topic": topic})
    return [query.answer(), *replace_text(query, conversation.say("feedback_text"))]


async def keep(message: Message, conversation: Conversation, state: FSMContext) -> Calls:
    """In step one a text is taken without a topic: nobody must press a button to be heard."""
    text = message.text or ""
    if len(text) > LIMIT:
        return message.answer(conversation.say("feedback_long", limit=LIMIT))
    topic = (await state.get_data()).get("topic", NO_TOPIC)
    await conversation.keep_feedback(str(topic), text)
    await state.clear()
    return message.answer(conversation.say("feedback_thanks"))


async def only_text(message: Message, conversation: Conversation) -> Calls:
    """Stays in the step."""
    return message.answer(conversation.say("feedback_only_text"))


def build() -> Router:
    """A new router each time."""
    router = Router(name="feedback")
    router.message.register(ask, Command("feedback"))
    router.callback_query.register(choose, F.data.startswith(PREFIX))
    router.message.register(keep, StateFilter(Feedback), F.text, ~F.text.startswith("/"))
    router.message.register(only_text, StateFilter(Feedback), ~F.text)
    return router
