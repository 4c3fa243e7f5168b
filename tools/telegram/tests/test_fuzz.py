"""Whatever comes in, an answer in the Bot API's form comes out."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from telegram_sim.methods.registry import all_methods

SEED = 20260301
ROUNDS = 25
NAMES = (
    "chat_id", "from_chat_id", "message_id", "message_ids", "user_id", "text", "parse_mode", "entities", "caption",
    "reply_markup", "reply_parameters", "message_thread_id", "photo", "video", "document", "media", "url",
    "allowed_updates", "max_connections", "callback_query_id", "commands", "scope", "action", "permissions",
    "until_date", "invite_link", "member_limit", "name", "offset", "limit", "file_id", "can_pin_messages",
)  # fmt: skip
ODD = (
    None, True, False, 0, -1, 1.5, float("nan"), float("inf"), 10**20, "", " ", "x", "\x00", "👍", "@garden", "[", "{}",
    "[" * 5000, [], [1], ["x"], [[]], [None], [{}], {}, {"type": 5}, {"inline_keyboard": [[{}]]}, {"keyboard": [[{}]]},
    {"inline_keyboard": "x"}, {"message_id": "x"}, "<b>", "*", "```", "![", "attach://x", "https://", "http://[::1",
    [{"type": "photo"}], [{"type": "photo", "media": {}}, {"type": "video", "media": []}], [{"offset": 1, "length": 1}],
    [{"type": "bold", "offset": -5, "length": 10**9}], ["message", 5],
)  # fmt: skip


@pytest.mark.parametrize("method", sorted(all_methods()))
async def test_odd_parameters_never_break_a_method(scene: Any, method: str) -> None:
    rng = Random(f"{SEED} {method}")  # noqa: S311 no secret
    group = await scene.group(is_forum=True, username="garden")
    sent = await scene.ok("sendMessage", chat_id=group, text="x")
    fair = (group, scene.user_id, scene.bot_id, sent["message_id"])
    url = f"{scene.sim.url}/bot{scene.token}/{method}"
    for number in range(ROUNDS):
        chosen = rng.sample(NAMES, k=rng.randint(1, 12))
        params = {name: rng.choice(ODD if rng.random() < 0.6 else fair) for name in chosen}
        async with scene.sim.client.post(
            url, data=json.dumps(params), headers={"Content-Type": "application/json"}
        ) as response:
            answer = await response.json()
        assert answer["ok"] or answer["error_code"] == response.status, (SEED, number, params, answer)
        assert response.status != 500, (SEED, number, params, answer)


async def test_half_a_surrogate_pair_is_refused_and_can_still_be_injected(scene: Any) -> None:
    body = b'{"chat_id": %d, "text": "a\\ud83d"}' % scene.user_id
    url = f"{scene.sim.url}/bot{scene.token}/sendMessage"
    async with scene.sim.client.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
        assert (await response.json())["description"] == "Bad Request: strings must be encoded in UTF-8"
    await scene.ok("sendMessage", chat_id=scene.user_id, text="\U0001f44d")
    await scene.sim.admin("POST", "updates", bot_id=scene.bot_id, update={"message": {"text": "a\ud83d"}})
    assert (await scene.updates())[0]["message"]["text"] == "a\ud83d"
