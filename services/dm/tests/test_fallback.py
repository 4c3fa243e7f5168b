"""Everybody who writes gets an answer, whatever they write; edits and blocks get none."""

from __future__ import annotations

from typing import Any

import pytest

from .driver import User

_FILE = {"file_id": "f", "file_unique_id": "u"}
_CONTENTS: list[Any] = [
    {"photo": [{**_FILE, "width": 1, "height": 1}]},
    {"sticker": {**_FILE, "type": "regular", "width": 1, "height": 1, "is_animated": False, "is_video": False}},
    {"voice": {**_FILE, "duration": 1}},
    {"video": {**_FILE, "width": 1, "height": 1, "duration": 1}},
    {"video_note": {**_FILE, "length": 1, "duration": 1}},
    {"document": _FILE},
    {"contact": {"phone_number": "+1", "first_name": "Bob"}},
    {"location": {"latitude": 1.0, "longitude": 2.0}},
    {"dice": {"emoji": "🎲", "value": 6}},
    {"hologram": {"depth": 3}},
    {"photo": [{**_FILE, "width": 1, "height": 1}], "caption": "look"},
    {},
]


@pytest.mark.parametrize("content", _CONTENTS, ids=lambda c: "+".join(c) or "nothing at all")
async def test_what_can_not_be_read_is_answered(ada: User, content: dict[str, Any]) -> None:
    await ada.posts("hello")  # so that Telegram lets the bot write
    (reply,) = await ada.sends(**content)
    assert (reply.status, reply.text) == ("ok", ada.said("unknown_kind"))


async def test_plain_words_are_answered(ada: User) -> None:
    (reply,) = await ada.writes("what is this?")
    assert reply.text == ada.said("unknown_text")


@pytest.mark.parametrize("text", ["/nonsense", "/", "//", "/help@other_bot", "/helpme"])
async def test_an_unknown_command_is_answered(ada: User, text: str) -> None:
    (reply,) = await ada.writes(text)
    assert reply.text == ada.said("unknown_command")


async def test_an_edit_is_marked_and_not_answered(ada: User) -> None:
    await ada.writes("/feedback")
    message = await ada.last_message() - 1
    assert await ada.writes("/help", edit_message_id=message) == []
    assert await ada.rows("feedback") == []
    assert (await ada.row())["state"] == "Feedback:topic"


async def test_a_content_that_aiogram_can_not_read_is_for_operators(ada: User) -> None:
    from common.errors import Reject

    await ada.posts("hello")
    with pytest.raises(Reject, match=r"aiogram can't read the update \(message\.date\)"):
        await ada.sends(date="canary")


async def test_a_block_is_noticed_and_nothing_is_said(ada: User) -> None:
    await ada.writes("/start")
    assert await ada.blocks() == []
    assert (await ada.row())["status"] == "blocked"


async def test_unblocking_is_no_start(ada: User) -> None:
    await ada.writes("/start")
    await ada.blocks()
    assert await ada.blocks(really=False) == []
    assert (await ada.row())["status"] == "stopped"


async def test_unblocking_without_a_block_that_we_saw_changes_nothing(ada: User) -> None:
    await ada.writes("/start")
    await ada.posts("x")
    await ada.sim.admin("POST", "block", bot_id=123456789, user_id=ada.user_id)
    await ada.blocks(really=False)
    assert (await ada.row())["status"] == "active"
