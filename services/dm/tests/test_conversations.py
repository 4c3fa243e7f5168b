"""/language and /feedback: buttons and steps, in order, twice, too late, and after a restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dm.handlers import PrivateUpdates
from dm.routers.feedback import LIMIT

from .driver import User


async def test_language_offers_every_catalogue_by_its_own_name(ada: User) -> None:
    (question,) = await ada.writes("/language")
    assert question.buttons == {"English": "language:en", "Deutsch": "language:de"}


async def test_a_chosen_language_is_spoken_from_then_on(ada: User) -> None:
    await ada.writes("/language")
    answered, edited = await ada.presses("language:de")
    ada.language = "de"
    assert (answered.method, edited.method, edited.text) == (
        "answerCallbackQuery",
        "editMessageText",
        ada.said("language_set"),
    )
    (reply,) = await ada.writes("/help")
    assert reply.text == ada.said("help")


async def test_a_language_pressed_twice_is_no_error(ada: User) -> None:
    await ada.writes("/language")
    await ada.presses("language:de")
    await ada.presses("language:de")  # Telegram says that the message is not modified
    assert [r["state"] for r in await ada.rows("replies")] == ["sent"] * 4 + ["failed"]
    assert (await ada.row())["language"] == "de"


@pytest.mark.parametrize("data", ["language:xx", "feedback:idea", "feedback:nothing", "onboarding:1", "", "ä" * 30])
async def test_a_button_of_another_time_says_so(ada: User, data: str) -> None:
    await ada.writes("/language")
    (answer,) = await ada.presses(data)
    assert (answer.method, answer.status, answer.text) == ("answerCallbackQuery", "ok", ada.said("button_old"))


async def test_a_button_under_a_message_too_old_to_be_seen(ada: User) -> None:
    await ada.writes("/language")
    old = {"chat": {"id": ada.user_id, "type": "private", "first_name": "Ada"}, "message_id": 1, "date": 0}
    person = {"id": ada.user_id, "is_bot": False, "first_name": "Ada"}
    query = {"id": "77", "from": person, "message": old, "chat_instance": "1", "data": "language:de"}
    answer = await ada.sim.admin("POST", "updates", bot_id=123456789, update={"callback_query": query})
    (did,) = await ada.brings(ada.job(answer["update_id"]))
    assert did.method == "answerCallbackQuery"
    assert (await ada.row())["language"] == "de"


async def test_feedback_takes_a_topic_and_a_text(ada: User) -> None:
    (question,) = await ada.writes("/feedback")
    assert set(question.buttons.values()) == {"feedback:idea", "feedback:problem", "feedback:praise"}
    answered, asked = await ada.presses("feedback:problem")
    assert (answered.method, asked.text) == ("answerCallbackQuery", ada.said("feedback_text"))
    (thanks,) = await ada.writes("It is <slow> & steady")
    assert thanks.text == ada.said("feedback_thanks")
    kept = await ada.row("feedback")
    assert (kept["topic"], kept["text"]) == ("problem", "It is <slow> & steady")
    assert (await ada.row())["state"] is None


async def test_feedback_without_a_topic_is_taken_too(ada: User) -> None:
    await ada.writes("/feedback")
    await ada.writes("Nobody must press a button")
    assert (await ada.row("feedback"))["topic"] == "none"


async def test_feedback_goes_on_in_another_worker(ada: User, new_voice: Callable[[], PrivateUpdates]) -> None:
    await ada.writes("/feedback")
    ada.voice = new_voice()
    await ada.presses("feedback:praise")
    ada.voice = new_voice()
    await ada.writes("Well done")
    assert (await ada.row("feedback"))["topic"] == "praise"


async def test_a_topic_pressed_again_changes_nothing(ada: User) -> None:
    await ada.writes("/feedback")
    await ada.presses("feedback:praise")
    (answer,) = await ada.presses("feedback:idea")
    assert answer.text == ada.said("button_old")
    await ada.writes("Well done")
    assert (await ada.row("feedback"))["topic"] == "praise"


async def test_feedback_is_text_of_bounded_length(ada: User) -> None:
    await ada.writes("/feedback")
    (refused,) = await ada.writes(sticker=True)
    assert refused.text == ada.said("feedback_only_text")
    (too_long,) = await ada.writes("x" * (LIMIT + 1))
    assert too_long.text == ada.said("feedback_long", limit=LIMIT)
    assert await ada.rows("feedback") == []
    await ada.writes("x" * LIMIT)
    assert len((await ada.row("feedback"))["text"]) == LIMIT


async def test_a_command_ends_the_feedback_it_comes_into(ada: User) -> None:
    await ada.writes("/feedback")
    (reply,) = await ada.writes("/help")
    assert reply.text == ada.said("help")
    (words,) = await ada.writes("what is written next is no answer to an old question")
    assert words.text == ada.said("unknown_text")
    assert await ada.rows("feedback") == []


async def test_text_with_a_nul_is_kept_without_it(ada: User) -> None:
    await ada.writes("/feedback")
    await ada.sends(text="one\0two")
    assert (await ada.row("feedback"))["text"] == "onetwo"
