"""What a broadcast may say, through every process: an upload by HTTP, a text in parts, and a kill between the parts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from common import key_changes
from common.key_changes import Actor, Wish
from common.store.pool import Pool
from common.testing.polling import eventually

from .house import House

pytestmark = pytest.mark.timeout(180)
TEXT = "\n\n".join(f"<b>{number}</b> " + "word " * 500 for number in range(5))  # a message for each paragraph


class Client:
    """Of the API, with a key that may do everything."""

    def __init__(self, house: House, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=house.ingress, headers=headers, trust_env=False, timeout=20)

    def close(self) -> None:
        self._http.close()

    def post(self, path: str, **options: Any) -> dict[str, Any]:
        answer = self._http.post(path, **options)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def deliveries(self, broadcast_id: int) -> list[dict[str, Any]]:
        answer = self._http.get(f"/api/broadcasts/{broadcast_id}/deliveries?limit=200")
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def ended(self, broadcast_id: int, n: int, *, within: float = 60) -> list[dict[str, Any]]:
        def all_ended() -> list[dict[str, Any]]:
            rows = self.deliveries(broadcast_id)
            is_open = any(row["state"] in {"pending", "slotted", "sending"} for row in rows)
            return rows if len(rows) == n and not is_open else []

        return await eventually(all_ended, within=within, what=f"the end of broadcast {broadcast_id}")


@pytest.fixture
async def client(house: House) -> AsyncIterator[Client]:
    pool = Pool(house.servers.database_url, name="muster-e2e", max_size=1, timeout=5)
    async with pool.transaction("key") as tx:
        made, _ = await key_changes.make(tx, Wish("e2e", ["*"], burst=10_000), Actor("cli:test"), env="test")
    await pool.close()
    found = Client(house, made.text)
    yield found
    found.close()


async def groups(house: House, n: int) -> dict[int, int]:
    """Chat by group id, of groups that registered themselves."""
    bot = {"id": house.bot["id"], "status": "administrator"}
    chats = [house.admin("POST", "chats", type="supergroup", title=f"g{k}", bots=[bot])["id"] for k in range(n)]
    return {await house.group_of(chat): chat for chat in chats}


def sent(house: House, method: str, chats: dict[int, int]) -> list[dict[str, Any]]:
    found = house.admin("GET", f"effects?method={method}&limit=10000")["effects"]
    return [effect for effect in found if effect["chat_id"] in chats.values() and effect["status"] == "ok"]


async def test_an_uploaded_photo_reaches_every_group_and_goes_up_once(house: House, client: Client) -> None:
    chats = await groups(house, 12)
    photo = b"\xff\xd8\xff\xe0" + os.urandom(3_000_000)
    uploaded = client.post("/api/media", files={"file": ("a.jpg", photo, "image/jpeg")})
    body = {
        "message": {"type": "photo", "media": uploaded["media"], "caption": "{{title}}"},
        "targets": {"group_ids": list(chats)},
    }
    rows = await client.ended(client.post("/api/send_messages", json=body)["broadcast_id"], 12)
    assert {row["state"] for row in rows} == {"sent"}
    effects = sent(house, "sendPhoto", chats)
    assert sorted(e["params"]["caption"] for e in effects) == sorted(f"g{n}" for n in range(12))
    assert sum("attach://" in str(e["params"]["photo"]) for e in effects) == 1


async def test_a_long_text_survives_a_kill_of_its_sender(house: House, client: Client) -> None:
    chats = await groups(house, 25)
    message = {"type": "text", "text": TEXT, "parse_mode": "HTML"}
    body = {"message": message, "targets": {"group_ids": list(chats)}}
    broadcast_id = client.post("/api/send_messages", json=body)["broadcast_id"]
    await eventually(lambda: len(sent(house, "sendMessage", chats)) >= 40, within=30)
    house.services.kill(house.instances["sender"])
    house.services.restart(house.instances["sender"])
    rows = await client.ended(broadcast_id, 25, within=90)
    effects = sent(house, "sendMessage", chats)
    for row in rows:
        own = [e["params"]["text"] for e in effects if e["chat_id"] == chats[row["group_id"]]]
        assert max(Counter(own).values(), default=0) <= 1, "no part twice"
        assert [text[0] for text in own] == sorted(text[0] for text in own), "in order"
        assert len(own) - row["parts_done"] in ({0} if row["state"] == "sent" else {0, 1})
    unknown = [row for row in rows if row["state"] != "sent"]
    if unknown:
        assert {row["state"] for row in unknown} == {"unknown"}
        client.post(f"/api/broadcasts/{broadcast_id}:resolve_unknown", json={"outcome": "sent"})
        done = await client.ended(broadcast_id, 25)
        assert {(row["state"], row["parts_done"]) for row in done} == {("sent", 5)}
