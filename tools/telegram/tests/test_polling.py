"""getUpdates and the webhook's settings."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from telegram_sim.app import Options
from telegram_sim.testing import Simulation, until

HOOK = "http://127.0.0.1:9/hook"


async def test_an_offset_confirms_and_a_negative_one_keeps_the_newest(scene: Any) -> None:
    first, second, third = [(await scene.say(text))["update_ids"][str(scene.bot_id)] for text in "abc"]
    assert (second, third) == (first + 1, first + 2)
    assert [update["update_id"] for update in await scene.ok("getUpdates", limit=2)] == [first, second]
    assert [update["update_id"] for update in await scene.ok("getUpdates", offset=second)] == [second, third]
    assert [update["update_id"] for update in await scene.ok("getUpdates", offset=-1)] == [third]
    assert await scene.ok("getUpdates", offset=third + 1) == []
    states = (await scene.sim.admin("GET", f"updates?bot_id={scene.bot_id}&state=delivered"))["updates"]
    assert [record["update_id"] for record in states][-3:] == [first, second, third]


async def test_long_polling_wakes_for_an_update(scene: Any) -> None:
    polling = asyncio.create_task(scene.ok("getUpdates", timeout=10))
    await until(lambda: scene.sim.stage.world.bots[scene.bot_id].updates.poller is not None)
    await scene.say("x")
    (update,) = await polling
    assert update["message"]["text"] == "x"


async def test_a_second_poller_ends_the_first(scene: Any) -> None:
    first = asyncio.create_task(scene.refused("getUpdates", timeout=10))
    await until(lambda: scene.sim.stage.world.bots[scene.bot_id].updates.poller is not None)
    assert await scene.ok("getUpdates") == []
    code, description = await first
    assert code == 409
    assert description.startswith("Conflict: terminated by other getUpdates request")


async def test_no_polling_beside_a_webhook(scene: Any) -> None:
    await scene.ok("setWebhook", url=HOOK)
    code, description = await scene.refused("getUpdates")
    assert code == 409
    assert description.startswith("Conflict: can't use getUpdates method while webhook is active")
    await scene.ok("deleteWebhook")
    await scene.ok("getUpdates")


async def test_webhook_info_and_omitted_allowed_updates(scene: Any) -> None:
    assert (await scene.ok("getWebhookInfo"))["url"] == ""
    settings = {"url": HOOK, "max_connections": 7, "allowed_updates": ["message", "chat_member"], "secret_token": "x"}
    await scene.ok("setWebhook", **settings)
    info = await scene.ok("getWebhookInfo")
    assert info["url"] == HOOK
    assert (info["max_connections"], info["allowed_updates"]) == (7, ["chat_member", "message"])
    await asyncio.sleep(1.01)  # One setWebhook a second (W12).
    await scene.ok("setWebhook", url=HOOK)
    info = await scene.ok("getWebhookInfo")
    assert (info["max_connections"], info["allowed_updates"]) == (40, ["chat_member", "message"]), "W11"


@pytest.mark.parametrize("url", ["ftp://a.b/c", "nonsense", "https://", "http://[::1", "http://a:99999/"])
async def test_urls_that_are_none(scene: Any, url: str) -> None:
    code, description = await scene.refused("setWebhook", url=url)
    assert (code, description.startswith("Bad Request: bad webhook: ")) == (400, True)


@pytest.mark.parametrize("secret", ["ä", "a b", "a+b", "a.b"])
async def test_secrets_have_an_alphabet(scene: Any, secret: str) -> None:
    refused = (400, "Bad Request: secret token contains unallowed characters")
    assert await scene.refused("setWebhook", url=HOOK, secret_token=secret) == refused
    too_long = (400, "Bad Request: secret token is too long")
    assert await scene.refused("setWebhook", url=HOOK, secret_token="x" * 257) == too_long
    await scene.ok("setWebhook", url=HOOK, secret_token="x" * 256)


async def test_setwebhook_at_most_once_a_second(scene: Any) -> None:
    await scene.ok("setWebhook", url=HOOK)
    answer = await scene.sim.api(scene.token, "setWebhook", url=HOOK)
    assert (answer["error_code"], answer["parameters"]) == (429, {"retry_after": 1})
    assert answer["description"] == "Too Many Requests: retry after 1"


async def test_a_server_that_is_not_local_wants_https_and_known_ports() -> None:
    async with Simulation(Options(local=False)) as sim:
        token = (await sim.admin("POST", "bots"))["token"]
        https = "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"
        assert await sim.refused(token, "setWebhook", url=HOOK) == (400, https)
        ports = "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"
        assert await sim.refused(token, "setWebhook", url="https://example.com:8080/x") == (400, ports)
        await sim.ok(token, "setWebhook", url="https://example.invalid:8443/x")


async def test_expired_updates_are_not_polled(scene: Any) -> None:
    sent = await scene.ok("sendMessage", chat_id=scene.user_id, text="x")
    press = {"bot_id": scene.bot_id, "user_id": scene.user_id, "message_id": sent["message_id"], "data": "d"}
    await scene.sim.admin("POST", "clock", time_scale=10**9)
    await scene.sim.admin("POST", "callbacks", **press)
    assert await scene.updates() == []
    path = f"updates?bot_id={scene.bot_id}&state=expired"
    assert [record["kind"] for record in (await scene.sim.admin("GET", path))["updates"]] == ["callback_query"]
