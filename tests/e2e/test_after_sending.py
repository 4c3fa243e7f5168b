"""A broadcast's life through every process: scheduled, sent, edited, recalled while a sender is killed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from common import key_changes
from common.ids import BotId, ChatId
from common.key_changes import Actor, Wish
from common.store import groups
from common.store.pool import Pool
from common.testing.polling import eventually

from .house import House

pytestmark = pytest.mark.timeout(180)
GROUPS = 60


class Operator:
    """Asks with a key that may do everything."""

    def __init__(self, house: House, pool: Pool) -> None:
        self.house = house
        self.pool = pool
        self.key = ""
        self.chats: list[int] = []

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request that must be taken."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.request(method, f"{self.house.ingress}{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def move_in(self) -> None:
        """A key, and groups of the house's bot."""
        bot = BotId(self.house.bot["id"])
        member = {"id": bot, "status": "administrator"}
        for number in range(GROUPS):
            chat = self.house.admin("POST", "chats", type="supergroup", title=f"g{number}", bots=[member])
            self.chats.append(chat["id"])
        async with self.pool.transaction("groups") as tx:
            for chat_id in self.chats:
                await groups.register(tx, bot, ChatId(chat_id), title="g", kind="supergroup")
            # They register themselves too, without tags: whoever comes first.
            await tx.execute("UPDATE groups SET tags = '{e2e}' WHERE chat_id = ANY($1::bigint[])", self.chats)
            made, _ = await key_changes.make(
                tx, Wish("e2e", ["*"], None, None, 500, 500), Actor("cli:test"), env="test"
            )
        self.key = made.text

    async def execute(self, sql: str) -> None:
        """What the API has no word for: time that passes."""
        async with self.pool.transaction("time") as tx:
            await tx.execute(sql)

    async def progress(self, broadcast_id: int) -> dict[str, Any]:
        """As the dashboard asks."""
        return await self.ask("GET", f"/api/broadcasts/{broadcast_id}")

    async def state(self, broadcast_id: int, state: str) -> bool:
        """Whether it is there yet."""
        return bool((await self.progress(broadcast_id))["state"] == state)

    async def revised(self, broadcast_id: int) -> dict[str, Any] | None:
        """Its newest revision once that is over."""
        newest: dict[str, Any] = (await self.progress(broadcast_id))["revisions"][0]
        return newest if newest["finished_at"] else None

    def texts(self) -> list[list[str]]:
        """What stands in each group."""
        chats = [self.house.admin("GET", f"chat?chat_id={chat_id}") for chat_id in self.chats]
        return [[message["text"] for message in chat["messages"] if "text" in message] for chat in chats]


async def test_scheduled_sent_edited_and_recalled(house: House) -> None:
    pool = Pool(house.servers.database_url, name="muster-e2e", max_size=2, timeout=5)
    operator = Operator(house, pool)
    await operator.move_in()
    message = {"type": "text", "text": "first"}
    schedule = await operator.ask(
        "POST",
        "/api/schedules",
        {"name": "new year", "cron": "0 0 1 1 *", "message": message, "targets": {"tags": ["e2e"]}},
    )
    path = f"/api/schedules/{schedule['schedule_id']}"
    await operator.execute("UPDATE schedules SET next_at = now() - interval '1 s'")

    async def ran() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await operator.ask("GET", f"{path}/runs"))["items"]
        return found

    [run] = await eventually(ran, within=15)
    broadcast_id = run["broadcast_id"]
    await eventually(lambda: operator.state(broadcast_id, "done"), within=30)
    assert operator.texts() == [["first"]] * GROUPS

    edit = {"edit": {"type": "text", "text": "second"}}
    await operator.ask("POST", f"/api/broadcasts/{broadcast_id}:edit_all", edit)
    edited = await eventually(lambda: operator.revised(broadcast_id), within=30)
    assert (edited["kind"], edited["messages"]) == ("edit", {"done": GROUPS})
    assert operator.texts() == [["second"]] * GROUPS

    house.admin("PUT", "faults", rules=[], latency="300-600")
    await operator.ask("POST", f"/api/broadcasts/{broadcast_id}:recall")
    await eventually(lambda: house.admin("GET", "effects?method=deleteMessage")["effects"], within=15)
    house.services.kill(house.instances["sender"])
    house.services.restart(house.instances["sender"])
    recalled = await eventually(lambda: operator.revised(broadcast_id), within=60)
    assert (recalled["kind"], recalled["messages"]) == ("recall", {"done": GROUPS})
    assert operator.texts() == [[]] * GROUPS
    assert (await operator.ask("DELETE", path))["schedule_id"] == schedule["schedule_id"]
    await pool.close()
