"""A handler returns its calls: awaiting one, or returning something else, fails in the first test that meets it."""

from __future__ import annotations

from typing import Any

import pytest
from aiogram import Dispatcher, Router
from aiogram.methods import SendMessage
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, Message
from common import records
from common.ids import ChatId, UpdateId
from dm.calls import to_replies
from dm.handlers import PrivateUpdates
from dm.session import KnownBot, ReturnOnlySession

from .driver import BOT_ID, TOKEN, User


@pytest.fixture
def bot() -> KnownBot:
    """As the handler makes one."""
    return KnownBot(TOKEN, records.Bot(BOT_ID, "muster_bot", "Muster", b"", "k1"), ReturnOnlySession())


def replies(returned: object, bot: KnownBot) -> list[records.Reply]:
    return to_replies(returned, bot, update_id=UpdateId(5), chat_id=ChatId(42))


def speaking(voice: PrivateUpdates, handler: Any) -> None:
    """Puts a handler of the test's own in front of the real ones."""
    router = Router()
    router.message.register(handler)
    dispatcher = Dispatcher(disable_fsm=True)
    dispatcher.include_router(router)
    voice._dispatcher = dispatcher


async def test_an_awaited_call_fails_loudly_and_leaves_no_mark(ada: User) -> None:
    async def impatient(message: Message) -> None:
        await message.answer("now!")

    speaking(ada.voice, impatient)
    with pytest.raises(TypeError, match="return SendMessage from the handler, don't await it"):
        await ada.writes("hello")
    assert await ada.seen() == []
    async with ada.db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM inbox") == 0


async def test_a_download_fails_loudly(ada: User) -> None:
    async def curious(message: Message) -> None:
        assert message.bot is not None
        await message.bot.download_file("photos/1.jpg")

    speaking(ada.voice, curious)
    with pytest.raises(TypeError, match="no downloads in a handler"):
        await ada.writes("hello")


async def test_a_handler_that_returns_no_call_fails_loudly(ada: User) -> None:
    async def mistaken(_: Message) -> str:
        return "hello"

    speaking(ada.voice, mistaken)
    with pytest.raises(TypeError, match="a handler returns Bot API calls, not str"):
        await ada.writes("hello")
    assert await ada.rows("dialogues") == []


def test_calls_become_rows_in_order(bot: KnownBot) -> None:
    found = replies([SendMessage(chat_id=42, text="a"), SendMessage(chat_id=42, text="b")], bot)
    assert [(r.update_id, r.seq, r.chat_id, r.method, r.params["text"]) for r in found] == [
        (5, 0, 42, "sendMessage", "a"),
        (5, 1, 42, "sendMessage", "b"),
    ]


def test_rows_hold_what_telegram_is_to_get(bot: KnownBot) -> None:
    keyboard = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="x", callback_data="y")]])
    (reply,) = replies(SendMessage(chat_id=42, text="a", reply_markup=keyboard), bot)
    assert reply.params == {
        "chat_id": 42,
        "text": "a",
        "parse_mode": "HTML",
        "reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": "y"}]]},
    }


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_nothing_said_is_no_row(bot: KnownBot, nothing: object) -> None:
    assert replies(nothing, bot) == []


@pytest.mark.parametrize("wrong", ["text", 5, ["text"], object()])
def test_what_is_no_call_is_a_mistake(bot: KnownBot, wrong: object) -> None:
    with pytest.raises(TypeError, match="returns Bot API calls"):
        replies(wrong, bot)


async def test_the_bot_knows_its_name_without_asking(bot: KnownBot) -> None:
    assert (await bot.me()).username == "muster_bot"
