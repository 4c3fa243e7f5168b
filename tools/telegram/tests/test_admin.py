"""The admin API's own promises."""

from __future__ import annotations

from typing import Any

import pytest
from telegram_sim.testing import Receiver, Simulation

TOKEN = f"7000000042:AA{'x' * 33}"


async def test_a_token_names_its_bot_for_ever(sim: Simulation) -> None:
    bot = await sim.admin("POST", "bots", token=TOKEN, username="a_bot", first_name="A")
    assert bot == {"id": 7000000042, "token": TOKEN, "username": "a_bot", "first_name": "A"}
    assert await sim.admin("POST", "bots", token=TOKEN) == bot
    await sim.admin("POST", "bots", expect=409, token=TOKEN[:-1] + "y")
    await sim.admin("POST", "bots", expect=400, token="123:short")
    assert (await sim.admin("POST", "bots"))["id"] != bot["id"]


async def test_users_come_alone_or_in_numbers(sim: Simulation) -> None:
    (ada,) = (await sim.admin("POST", "users", id=5, first_name="Ada", username="ada", language_code="de"))["users"]
    assert ada == {"id": 5, "is_bot": False, "first_name": "Ada", "username": "ada", "language_code": "de"}
    many = (await sim.admin("POST", "users", count=1000))["users"]
    assert len({user["id"] for user in many}) == 1000
    assert len((await sim.admin("GET", "users?limit=10"))["users"]) == 10
    await sim.admin("POST", "users", expect=400, count=0)
    await sim.admin("POST", "users", expect=400, id="x")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("messages", {}, 400),
        ("messages", {"bot_id": 1, "user_id": 1, "text": "x"}, 404),
        ("callbacks", {"bot_id": 1, "user_id": 1, "message_id": 1, "data": "x"}, 404),
        ("updates", {"bot_id": 1}, 400),
        ("redeliver", {"bot_id": 1, "update_id": 1}, 404),
        ("chats", {"type": "party"}, 400),
        ("chats/5/join", {"user_id": 1}, 404),
        ("clock", {"time_scale": 0}, 400),
        ("clock", {"time_scale": "x"}, 400),
        ("bots", {"username": 5}, 400),
    ],
)
async def test_errors_are_json_with_a_sentence(sim: Simulation, path: str, body: dict[str, Any], status: int) -> None:
    answer = await sim.admin("POST", path, expect=status, **body)
    assert list(answer) == ["error"]


async def test_bodies_that_are_no_objects(sim: Simulation) -> None:
    for body in (b"{", b"[]"):
        async with sim.client.post(f"{sim.url}/admin/users", data=body) as response:
            assert (response.status, "error" in await response.json()) == (400, True)


async def test_a_bot_shows_its_webhook_with_attempts_and_errors(scene: Any, receiver: Receiver) -> None:
    await scene.ok("setWebhook", url=receiver.url, secret_token="s")
    await scene.say("x")
    await receiver.take(1)
    shown = await scene.sim.admin("GET", f"bots/{scene.bot_id}")
    assert shown["webhook"]["url"] == receiver.url
    assert shown["webhook"]["attempts"] == 1
    assert (await scene.sim.admin("GET", "bots"))["bots"][0]["id"] == scene.bot_id
    await scene.sim.admin("GET", "bots/1", expect=404)


async def test_a_chat_is_shown_both_ways_and_a_message_has_its_update(scene: Any) -> None:
    answer = await scene.say("/help me")
    assert answer["message"]["entities"] == [{"type": "bot_command", "offset": 0, "length": 5}]
    await scene.ok("sendMessage", chat_id=scene.user_id, text="here")
    chat = await scene.sim.admin("GET", f"chat?bot_id={scene.bot_id}&user_id={scene.user_id}")
    assert [message["text"] for message in chat["messages"]] == ["/start", "/help me", "here"]
    edited = await scene.say("/help", edit_message_id=answer["message"]["message_id"])
    assert edited["message"]["text"] == "/help"
    assert [next(iter(update.keys() - {"update_id"})) for update in await scene.updates()] == [
        "message",
        "edited_message",
    ]
    assert (await scene.say("look", photo=True))["message"]["caption"] == "look"
    assert (await scene.say("", contact={"phone_number": "1", "first_name": "B"}))["message"]["contact"][
        "first_name"
    ] == "B"
    await scene.sim.admin("POST", "messages", expect=400, bot_id=scene.bot_id, user_id=scene.user_id, text="")


async def test_injected_updates_pass_allowed_updates_and_may_have_a_fixed_id(scene: Any) -> None:
    first = await scene.sim.admin("POST", "updates", bot_id=scene.bot_id, update={"poll": {"id": "1"}})
    again = await scene.sim.admin(
        "POST", "updates", bot_id=scene.bot_id, update={"poll": {}}, update_id=first["update_id"]
    )
    assert again == first
    assert [update["update_id"] for update in await scene.ok("getUpdates")] == [first["update_id"]] * 2
    following = (await scene.say("x"))["update_ids"][str(scene.bot_id)]
    assert following == first["update_id"] + 1


async def test_updates_are_listed_by_state_and_id(scene: Any) -> None:
    number = (await scene.say("x"))["update_ids"][str(scene.bot_id)]
    pending = (await scene.sim.admin("GET", f"updates?bot_id={scene.bot_id}&state=pending"))["updates"]
    assert [(record["update_id"], record["kind"], record["attempts"]) for record in pending] == [(number, "message", 0)]
    assert (await scene.sim.admin("GET", f"updates?bot_id={scene.bot_id}&since={number}"))["updates"] == []


async def test_the_backlog_has_a_cap(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telegram_sim.update_queue.BACKLOG_CAP", 2)
    sent = [bool((await scene.say("x"))["update_ids"]) for _ in range(3)]
    assert sent == [True, True, False], "W7"


async def test_reset_forgets_all_and_stops_the_webhooks(scene: Any, receiver: Receiver) -> None:
    await scene.ok("setWebhook", url=receiver.url)
    await scene.sim.admin("POST", "reset")
    health = await scene.sim.admin("GET", "health")
    assert (health["ok"], health["bots"], health["users"]) == (True, 0, 0)
    assert scene.sim.stage.office.couriers == {}
    assert await scene.sim.refused(scene.token, "getMe") == (401, "Unauthorized")
    assert (await scene.sim.admin("GET", "effects"))["effects"] == []


async def test_a_user_who_is_renamed_keeps_their_chats(scene: Any) -> None:
    await scene.sim.admin("POST", "users", id=scene.user_id, first_name="Ada L", username="ada")
    sent = await scene.ok("sendMessage", chat_id=scene.user_id, text="x")
    assert (sent["chat"]["first_name"], sent["chat"]["username"]) == ("Ada L", "ada")
