"""The page for people."""

from __future__ import annotations

import re
from typing import Any

import pytest
from telegram_sim.page.rich_text import render_text
from telegram_sim.testing import Simulation


async def get(sim: Simulation, path: str = "/") -> str:
    async with sim.client.get(sim.url + path) as response:
        assert response.status == 200
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        return await response.text()


async def post(sim: Simulation, path: str, **form: Any) -> str:
    """Sends a form and returns the page it leads to."""
    async with sim.client.post(sim.url + path, data=form) as response:
        assert response.status == 200
        return await response.text()


async def test_an_empty_world_says_what_to_do(sim: Simulation) -> None:
    assert "There is no bot yet" in await get(sim)
    assert "There is no user yet" in await post(sim, "/page/new-bot", first_name="Muster")
    page = await post(sim, "/page/new-user", first_name="<Ada>")
    assert "&lt;Ada&gt; and Muster" in page
    assert 'value="/start"' in page
    assert "Write the first message" in page
    (bot,), (user,) = sim.stage.world.bots, sim.stage.world.users
    assert "<Ada>" not in await post(sim, "/page/say", bot=bot, user=user, text="x")


async def test_nothing_on_the_page_is_inline_or_from_elsewhere(scene: Any) -> None:
    page = await get(scene.sim)
    assert not re.search(r"<script>|<style|\son\w+=|style=|https?://", page)
    for asset in ("style.css", "page.js"):
        assert len(await get(scene.sim, f"/page/{asset}")) > 100
    async with scene.sim.client.get(f"{scene.sim.url}/page/routes.py") as response:
        assert response.status == 404


async def test_writing_and_pressing_reach_the_bot(scene: Any) -> None:
    who = {"bot": scene.bot_id, "user": scene.user_id}
    page = await post(scene.sim, "/page/say", **who, text="<hello>")
    assert "&lt;hello&gt;" in page
    markup = {"inline_keyboard": [[{"text": "Go & see", "callback_data": "go"}, {"text": "L", "url": "https://a.b"}]]}
    sent = await scene.ok(
        "sendMessage", chat_id=scene.user_id, text="*x*", parse_mode="MarkdownV2", reply_markup=markup
    )
    page = await get(scene.sim)
    assert "<strong>x</strong>" in page
    assert "Go &amp; see" in page
    await post(scene.sim, "/page/press", **who, message_id=sent["message_id"], data="go")
    message, press = await scene.updates()
    assert (message["message"]["text"], press["callback_query"]["data"]) == ("<hello>", "go")
    await scene.ok("answerCallbackQuery", callback_query_id=press["callback_query"]["id"], text="Done & gone")
    assert "Done &amp; gone" in await get(scene.sim, f"/page/chat?bot={scene.bot_id}&user={scene.user_id}")


async def test_a_reply_keyboard_comes_and_goes(scene: Any) -> None:
    await scene.ok("sendMessage", chat_id=scene.user_id, text="?", reply_markup={"keyboard": [["Yes", "No"]]})
    assert '<button name="text" value="Yes">Yes</button>' in await get(scene.sim)
    await scene.ok("sendMessage", chat_id=scene.user_id, text="!", reply_markup={"remove_keyboard": True})
    assert 'value="Yes"' not in await get(scene.sim)


async def test_blocking_hides_the_box(scene: Any) -> None:
    who = {"bot": scene.bot_id, "user": scene.user_id}
    page = await post(scene.sim, "/page/block", **who)
    assert "You have blocked this bot" in page
    assert 'name="text"' not in page
    assert 'name="text"' in await post(scene.sim, "/page/block", **who)


async def test_joining_a_group_from_the_page(scene: Any) -> None:
    group, user = await scene.group(), await scene.user()
    link = await scene.ok("createChatInviteLink", chat_id=group, creates_join_request=True)
    who = {"bot": scene.bot_id, "user": user, "chat": group}
    page = await post(scene.sim, "/page/member", **who, act="ask")
    assert "Withdraw the request" in page
    assert 'name="text"' not in page
    request = (await scene.updates())[0]["chat_join_request"]
    assert request["invite_link"]["invite_link"] == link["invite_link"]
    await scene.ok("approveChatJoinRequest", chat_id=group, user_id=user)
    page = await post(scene.sim, "/page/say", **who, text="hello")
    assert "hello" in page
    assert "Ask to join" in await post(scene.sim, "/page/member", **who, act="leave")
    assert "left" in await get(scene.sim, f"/page/chat?user={user}&chat={group}")


async def test_addresses_that_lead_nowhere_fall_back(scene: Any) -> None:
    assert "Ada and Muster" in await get(scene.sim, "/?bot=1&user=x&chat=99")


@pytest.mark.parametrize(
    ("text", "entities", "html"),
    [
        ("a<b", [], "a&lt;b"),
        ("👍 ab", [("bold", 3, 2)], "👍 <strong>ab</strong>"),
        ("abcd", [("bold", 0, 4), ("italic", 1, 2)], "<strong>a<em>bc</em>d</strong>"),
        ("ab", [("bold", 0, 2), ("italic", 0, 2)], "<strong><em>ab</em></strong>"),
        ("ab", [("bold", 0, 1), ("italic", 1, 1)], "<strong>a</strong><em>b</em>"),
        ("x", [("hashtag", 0, 1)], '<span class="entity">x</span>'),
    ],
)
def test_entities_become_elements(text: str, entities: list[tuple[str, int, int]], html: str) -> None:
    found = [{"type": kind, "offset": offset, "length": length} for kind, offset, length in entities]
    assert render_text(text, found) == html


def test_only_known_schemes_become_links() -> None:
    link = {"type": "text_link", "offset": 0, "length": 1}
    assert render_text("x", [link | {"url": "https://a.b/?c=1&d"}]) == (
        '<a href="https://a.b/?c=1&amp;d" rel="noreferrer">x</a>'
    )
    assert "href" not in render_text("x", [link | {"url": "javascript://alert(1)"}])
