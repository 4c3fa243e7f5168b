"""Each command, in each state that matters to it."""

from __future__ import annotations

import pytest

from .conftest import Join
from .driver import User


async def test_start_registers_and_greets_by_name(ada: User) -> None:
    (reply,) = await ada.writes("/start")
    assert (reply.method, reply.status, reply.text) == ("sendMessage", "ok", ada.said("start", name="Ada"))
    assert (await ada.row())["status"] == "active"
    assert (await ada.row("users"))["first_name"] == "Ada"


async def test_start_again_is_another_greeting(ada: User) -> None:
    await ada.writes("/start")
    (reply,) = await ada.writes("/start")
    assert reply.text == ada.said("start_again", name="Ada")


async def test_start_leaves_a_conversation(ada: User) -> None:
    await ada.writes("/feedback")
    await ada.writes("/start")
    assert (await ada.row())["state"] is None


@pytest.mark.parametrize("payload", ["ref_ada", "x", "A-Z_09", "a" * 64])
async def test_a_links_payload_is_kept(ada: User, payload: str) -> None:
    (reply,) = await ada.writes(f"/start {payload}")
    assert ada.said("start_payload") in reply.text
    assert (await ada.row())["start_payload"] == payload


@pytest.mark.parametrize("typed", ["", "two words", "a" * 65, "ä", "<b>", "ref.ada"])
async def test_what_no_link_can_carry_is_no_payload(ada: User, typed: str) -> None:
    (reply,) = await ada.writes(f"/start {typed}")
    assert reply.text == ada.said("start", name="Ada")
    assert (await ada.row())["start_payload"] is None


async def test_the_first_payload_stays(ada: User) -> None:
    await ada.writes("/start ref_ada")
    (reply,) = await ada.writes("/start ref_bob")
    assert ada.said("start_payload") not in reply.text
    assert (await ada.row())["start_payload"] == "ref_ada"


async def test_help_names_every_command(ada: User) -> None:
    (reply,) = await ada.writes("/help")
    assert reply.status == "ok"
    for command in ("/start", "/account", "/language", "/feedback", "/stop", "/cancel", "/help"):
        assert command in reply.text


async def test_account_tells_what_is_known(ada: User) -> None:
    await ada.writes("/start")
    (reply,) = await ada.writes("/account")
    for known in ("Ada", str(ada.user_id), "English", ada.said("unasked_yes")):
        assert known in reply.text


async def test_account_before_start_says_that_nobody_writes_unasked(ada: User) -> None:
    (reply,) = await ada.writes("/account")
    assert ada.said("unasked_no") in reply.text


async def test_stop_ends_unasked_messages_and_start_allows_them_again(ada: User) -> None:
    await ada.writes("/start")
    (reply,) = await ada.writes("/stop")
    assert reply.text == ada.said("stop")
    assert (await ada.row())["status"] == "stopped"
    (after,) = await ada.writes("/account")
    assert ada.said("unasked_no") in after.text
    await ada.writes("/start")
    assert (await ada.row())["status"] == "active"


async def test_stop_leaves_a_conversation(ada: User) -> None:
    await ada.writes("/feedback")
    await ada.writes("/stop")
    assert (await ada.row())["state"] is None


async def test_cancel_outside_a_conversation_has_nothing_to_do(ada: User) -> None:
    (reply,) = await ada.writes("/cancel")
    assert reply.text == ada.said("cancel_nothing")


async def test_cancel_inside_a_conversation_ends_it(ada: User) -> None:
    await ada.writes("/feedback")
    (reply,) = await ada.writes("/cancel")
    assert reply.text == ada.said("cancel")
    assert (await ada.row())["state"] is None
    (next_reply,) = await ada.writes("my idea")
    assert next_reply.text == ada.said("unknown_text")
    assert await ada.rows("feedback") == []


async def test_a_command_with_the_bots_name_is_the_same_command(ada: User) -> None:
    (reply,) = await ada.writes("/help@muster_bot")
    assert reply.text == ada.said("help")


async def test_names_are_escaped_and_arrive_as_they_are(join: Join) -> None:
    eve = await join(first_name="<b>Eve</b> & </i>", last_name='O\'Hara "x"')
    (greeting,) = await eve.writes("/start")
    assert greeting.status == "ok"
    assert "&lt;b&gt;Eve&lt;/b&gt; &amp; &lt;/i&gt;" in greeting.text
    (account,) = await eve.writes("/account")
    assert account.status == "ok"
    chat = await eve.sim.admin("GET", f"chat?bot_id=123456789&user_id={eve.user_id}")
    assert '<b>Eve</b> & </i> O\'Hara "x"' in chat["messages"][-1]["text"]


async def test_a_users_new_name_is_noticed(ada: User, join: Join) -> None:
    await ada.writes("/start")
    await join(id=ada.user_id, first_name="Augusta")
    (reply,) = await ada.writes("/start")
    assert "Augusta" in reply.text
    assert (await ada.row("users"))["first_name"] == "Augusta"


async def test_the_clients_language_is_spoken_where_we_can(join: Join) -> None:
    for code, language in (("de", "de"), ("de-AT", "de"), ("fr", "en")):
        person = await join(language_code=code)
        person.language = language
        (reply,) = await person.writes("/start")
        assert reply.text == person.said("start", name="Ada")
