"""Ten commands a minute; one notice, then silence, then a new minute by the database's clock."""

from __future__ import annotations

from .conftest import Join
from .driver import User


async def a_minute_passes(user: User) -> None:
    async with user.db.transaction() as tx:
        await tx.execute(
            "UPDATE dialogues SET window_start = window_start - interval '1 minute' WHERE user_id = $1", user.user_id
        )


async def impatient(user: User, commands: int) -> list[str]:
    """What was said to that many commands."""
    return [did.text for _ in range(commands) for did in await user.writes("/help")]


async def test_ten_are_answered_then_one_notice_then_silence(ada: User) -> None:
    assert await impatient(ada, 14) == [ada.said("help")] * 10 + [ada.said("patience")]


async def test_the_next_minute_is_a_new_one(ada: User) -> None:
    await impatient(ada, 12)
    await a_minute_passes(ada)
    assert await impatient(ada, 11) == [ada.said("help")] * 10 + [ada.said("patience")]


async def test_what_is_not_heard_has_no_effect(ada: User) -> None:
    await ada.writes("/start")
    await impatient(ada, 10)
    assert await ada.writes("/stop") == []
    assert (await ada.row())["status"] == "active"


async def test_a_command_in_a_caption_counts_too(ada: User) -> None:
    said = [did.text for _ in range(12) for did in await ada.writes("/help", photo=True)]
    assert said == [ada.said("help")] * 10 + [ada.said("patience")]


async def test_answers_inside_a_conversation_are_free(ada: User) -> None:
    await impatient(ada, 9)
    await ada.writes("/feedback")
    await ada.presses("feedback:idea")
    (thanks,) = await ada.writes("an idea")
    assert thanks.text == ada.said("feedback_thanks")


async def test_patience_is_with_each_user(ada: User, join: Join) -> None:
    await impatient(ada, 12)
    bob = await join(first_name="Bob")
    assert await impatient(bob, 1) == [bob.said("help")]
