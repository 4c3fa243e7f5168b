"""Limits, faults and latency in force, and what the log of effects says of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from telegram_sim.app import Options
from telegram_sim.latency import Latency
from telegram_sim.limits import LimitSettings
from telegram_sim.testing import Simulation
from telegram_sim.world import Memory


async def send(scene: Any, text: str = "x", *, within: float = 2.0) -> tuple[int, str, str]:
    """Status, type and body of a sendMessage as they come over the wire."""
    url = f"{scene.sim.url}/bot{scene.token}/sendMessage"
    timeout = aiohttp.ClientTimeout(total=within)
    body = {"chat_id": scene.user_id, "text": text}
    async with scene.sim.client.post(url, json=body, timeout=timeout) as response:
        return response.status, response.content_type, await response.text(errors="replace")


async def order(scene: Any, **rule: Any) -> None:
    await scene.sim.admin("PUT", "faults", rules=[{"method": "sendMessage", "times": 1, **rule}])


async def test_strict_limits_answer_429_and_the_log_shows_it(scene: Any) -> None:
    settings = await scene.sim.admin("PUT", "limits", mode="strict")
    assert settings == {"mode": "strict", "per_bot": 30, "per_chat": 1, "per_group_minute": 20, "penalty": 3}
    await scene.ok("sendMessage", chat_id=scene.user_id, text="a")
    answer = await scene.sim.api(scene.token, "sendMessage", chat_id=scene.user_id, text="b")
    assert answer == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    }
    await scene.ok("sendChatAction", chat_id=scene.user_id, action="typing")
    effects = await scene.effects("method=sendMessage")
    assert [(effect["status"], effect["error_code"]) for effect in effects] == [("ok", None), ("error", 429)]
    await scene.sim.admin("PUT", "limits", mode="off")
    await scene.ok("sendMessage", chat_id=scene.user_id, text="c")


async def test_a_refused_send_uses_no_message_id(scene: Any) -> None:
    first = await scene.ok("sendMessage", chat_id=scene.user_id, text="a")
    await scene.refused("sendMessage", chat_id=scene.user_id, text="a", message_thread_id=5)
    assert (await scene.ok("sendMessage", chat_id=scene.user_id, text="a"))["message_id"] == first["message_id"] + 1


@pytest.mark.parametrize(
    ("rule", "status", "kind", "part", "happened"),
    [
        ({"kind": "http_500"}, 500, "application/json", "Internal Server Error", False),
        ({"kind": "http_500", "effect": True}, 500, "application/json", "Internal Server Error", True),
        ({"kind": "restart_500"}, 500, "application/json", "Internal Server Error: restart", False),
        ({"kind": "http_502_html"}, 502, "text/html", "<h1>502 Bad Gateway</h1>", False),
        ({"kind": "http_429", "retry_after": 9}, 429, "application/json", '"retry_after":9', False),
        ({"kind": "http_429_html"}, 429, "text/html", "429 Too Many Requests", False),
        ({"kind": "garbage"}, 200, "application/json", '{"ok":tru', True),
        ({"kind": "unknown_fields"}, 200, "application/json", '"x_new_field"', True),
        ({"kind": "sent_deleted"}, 500, "application/json", "sent message was immediately deleted", True),
        (
            {"kind": "error", "error_code": 400, "description": "Bad Request: CHAT_RESTRICTED"},
            400,
            "application/json",
            "CHAT_RESTRICTED",
            False,
        ),
        (
            {"kind": "error", "error_code": 400, "description": "x", "parameters": {"migrate_to_chat_id": -5}},
            400,
            "application/json",
            '"migrate_to_chat_id":-5',
            False,
        ),
    ],
)
async def test_faults_that_answer(
    scene: Any, rule: dict[str, Any], status: int, kind: str, part: str, *, happened: bool
) -> None:
    await order(scene, **rule)
    answer = await send(scene)
    assert answer[:2] == (status, kind)
    assert part in answer[2]
    (effect,) = await scene.effects("method=sendMessage")
    assert (effect["status"] == "ok", effect["fault"]) == (happened, rule["kind"])
    told = rule["kind"] in {"unknown_fields", "sent_deleted"} or not happened
    assert effect["answered"] is told
    assert (effect["message_id"] is not None) is happened
    assert (await send(scene))[0] == 200, "one time means one time"


@pytest.mark.parametrize(
    ("kind", "raised", "happened"),
    [
        ("timeout_before", TimeoutError, False),
        ("timeout_after", TimeoutError, True),
        ("cut", aiohttp.ClientPayloadError, True),
        ("reset", aiohttp.ClientOSError, False),
    ],
)
async def test_faults_that_do_not_answer(scene: Any, kind: str, raised: type[Exception], *, happened: bool) -> None:
    await order(scene, kind=kind)
    with pytest.raises(raised):
        await send(scene, within=0.3)
    (effect,) = await scene.effects("method=sendMessage")
    assert (effect["status"] == "ok", effect["answered"], effect["fault"]) == (happened, False, kind)
    chat = await scene.sim.admin("GET", f"chat?bot_id={scene.bot_id}&user_id={scene.user_id}")
    assert len(chat["messages"]) == 1 + happened


async def test_faults_count_their_hits_and_go_away(scene: Any) -> None:
    await order(scene, kind="http_500", times=5)
    await send(scene)
    (rule,) = (await scene.sim.admin("GET", "faults"))["rules"]
    assert rule["hits"] == 1
    assert (await scene.sim.admin("DELETE", "faults"))["rules"] == []
    assert (await send(scene))[0] == 200


@pytest.mark.parametrize(
    "rules",
    [
        [{"kind": "nonsense"}],
        [{}],
        ["x"],
        [{"kind": "cut", "metod": "x"}],
        [{"kind": "cut", "method": "x"}],
        [{"kind": "cut", "probability": 2}],
    ],
)
async def test_wrong_faults_are_refused(scene: Any, rules: list[Any]) -> None:
    assert "error" in await scene.sim.admin("PUT", "faults", expect=400, rules=rules)


async def test_latency(scene: Any) -> None:
    await order(scene, kind="cut", method="getMe")
    await scene.sim.admin("PUT", "faults", latency="150-160")
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await send(scene)
    assert loop.time() - begin >= 0.15
    shown = await scene.sim.admin("GET", "faults")
    assert (shown["latency"], len(shown["rules"])) == ("150-160", 1), "what is not named stays"
    await scene.sim.admin("PUT", "faults", expect=400, latency="fast")


async def test_effects_are_numbered_filtered_and_limited(scene: Any) -> None:
    group = await scene.group()
    for chat in (scene.user_id, group, scene.user_id):
        await scene.ok("sendMessage", chat_id=chat, text="x")
    everything = await scene.sim.admin("GET", "effects")
    assert [effect["seq"] for effect in everything["effects"]] == list(range(1, len(everything["effects"]) + 1))
    assert len(await scene.effects(f"chat_id={group}")) == 1
    assert len(await scene.effects(f"method=SENDMESSAGE&bot_id={scene.bot_id}&chat_id={scene.user_id}")) == 2
    page = await scene.sim.admin("GET", "effects?method=sendMessage&limit=2")
    rest = await scene.sim.admin("GET", f"effects?method=sendMessage&since={page['next']}")
    assert (len(page["effects"]), len(rest["effects"])) == (2, 1)
    assert await scene.effects(f"since={rest['next']}") == []
    assert all(effect["method"] != "getUpdates" for effect in everything["effects"])


async def test_the_log_file_holds_all_and_memory_the_newest(tmp_path: Path) -> None:
    log = tmp_path / "effects.jsonl"
    async with Simulation(Options(log=log, memory=Memory(effects=5))) as sim:
        token = (await sim.admin("POST", "bots"))["token"]
        for _ in range(50):
            await sim.ok(token, "getMe")
        remembered = (await sim.admin("GET", "effects"))["effects"]
        assert remembered[-1]["seq"] == 50
        assert len(remembered) < 30
        await sim.admin("POST", "reset")
        token = (await sim.admin("POST", "bots"))["token"]
        await sim.ok(token, "getMe")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, 52))


async def test_settings_from_the_command_line_survive_a_reset() -> None:
    options = Options(limits=LimitSettings(mode="strict"), latency=Latency(1, 2))
    async with Simulation(options) as sim:
        await sim.admin("PUT", "limits", mode="off")
        await sim.admin("PUT", "faults", rules=[{"kind": "cut"}], latency="5")
        await sim.admin("POST", "reset")
        assert (await sim.admin("GET", "limits"))["mode"] == "strict"
        assert await sim.admin("GET", "faults") == {"rules": [], "latency": "1-2"}
