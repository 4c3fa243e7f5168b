"""From a bot's token to its groups, through the running system: no row is written by hand, and no token comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import httpx
import pytest
from common.testing.polling import eventually
from stack.services import child_environment

from .house import House

pytestmark = pytest.mark.timeout(120)


def key_of(house: House) -> str:
    """As an operator makes one."""
    words = ["key", "new", "--name", "e2e", "--scope", "bots:write", "--scope", "groups:write"]
    done = subprocess.run(
        [sys.executable, "-m", "common", *words],
        env={**child_environment(), **house.services.environment},
        capture_output=True,
        check=True,
    )
    return str(json.loads(done.stdout)["key"])


async def test_a_bot_by_api_and_its_groups_by_themselves(house: House) -> None:
    bot = house.admin("POST", "bots")
    bot_id, token = bot["id"], bot["token"]
    headers = {"Authorization": f"Bearer {key_of(house)}"}
    async with httpx.AsyncClient(base_url=house.ingress, headers=headers, trust_env=False, timeout=20) as api:
        made = await api.post("/api/bots", json={"token": token})
        assert made.status_code == 201, made.text

        async def group(phase: str) -> list[dict[str, Any]]:
            answer = await api.get("/api/groups", params={"bot_id": bot_id, "phase": phase})
            items: list[dict[str, Any]] = answer.json()["items"]
            return items

        chat = house.admin("POST", "chats", type="group", title="Engines", bots=[{"id": bot_id}])["id"]
        [first] = await eventually(lambda: group("discovered"), within=20)
        assert (first["chat_id"], first["title"], first["health"]) == (chat, "Engines", "blind")
        new = house.admin("POST", f"chats/{chat}/migrate")["id"]

        async def moved() -> bool:
            return [each["chat_id"] for each in await group("discovered")] == [new]

        await eventually(moved, within=20)

        async def looked_at() -> dict[str, Any] | None:
            found: dict[str, Any] | None = (await api.get(f"/api/bots/{bot_id}")).json()["health"]
            return found

        seen = await eventually(looked_at, within=20)  # by the leader: nobody asked for it
        assert (seen["webhook"], seen["problems"]) == ("ours", [])
        checked = (await api.post(f"/api/bots/{bot_id}:check")).json()["health"]
        assert (checked["webhook"], checked["problems"]) == ("ours", [])
        house.admin("POST", f"chats/{new}/kick", bot_id=bot_id)
        [lost] = await eventually(lambda: group("lost"), within=20)
        assert lost["group_id"] == first["group_id"]
    told = "".join(house.log(name) for name in house.instances).encode() + b"".join(house.collector.raw)
    assert token.encode() not in told + made.content
    assert token.partition(":")[2].encode() not in told
