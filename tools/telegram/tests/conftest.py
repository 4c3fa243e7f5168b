"""A simulation, a bot with a user who has started it, and a webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from telegram_sim.app import Options
from telegram_sim.testing import Receiver, Simulation

EVERYTHING = ["message", "edited_message", "callback_query", "my_chat_member", "chat_member", "chat_join_request"]


@dataclass
class Scene:
    """One bot and one user in a private chat, with shortcuts for both."""

    sim: Simulation
    token: str
    bot_id: int
    user_id: int

    async def ok(self, method: str, **params: Any) -> Any:
        return await self.sim.ok(self.token, method, **params)

    async def refused(self, method: str, **params: Any) -> tuple[int, str]:
        return await self.sim.refused(self.token, method, **params)

    async def say(self, text: str, **more: Any) -> dict[str, Any]:
        return await self.sim.admin("POST", "messages", bot_id=self.bot_id, user_id=self.user_id, text=text, **more)

    async def user(self) -> int:
        """One more user, who has not started the bot."""
        return int((await self.sim.admin("POST", "users"))["users"][0]["id"])

    async def group(self, kind: str = "supergroup", *, status: str = "administrator", **more: Any) -> int:
        """A group owned by the user, with the bot in it, and nothing waiting in getUpdates."""
        bots = [{"id": self.bot_id, "status": status, **more.pop("rights", {})}]
        chat = await self.sim.admin("POST", "chats", type=kind, title="G", owner_id=self.user_id, bots=bots, **more)
        await self.updates()
        return int(chat["id"])

    async def updates(self) -> list[dict[str, Any]]:
        return await self.sim.updates(self.token)

    async def effects(self, query: str = "") -> list[dict[str, Any]]:
        effects: list[dict[str, Any]] = (await self.sim.admin("GET", f"effects?{query}"))["effects"]
        return effects


async def make_scene(sim: Simulation) -> Scene:
    bot = await sim.admin("POST", "bots", username="muster_bot", first_name="Muster")
    user = (await sim.admin("POST", "users", first_name="Ada"))["users"][0]
    scene = Scene(sim, bot["token"], bot["id"], user["id"])
    await sim.ok(scene.token, "getUpdates", allowed_updates=EVERYTHING)
    await scene.say("/start")
    await scene.updates()
    return scene


@pytest.fixture
async def sim() -> AsyncIterator[Simulation]:
    async with Simulation() as running:
        yield running


@pytest.fixture
async def fast_sim() -> AsyncIterator[Simulation]:
    """Telegram's delays pass twenty times faster."""
    async with Simulation(Options(seed=1, time_scale=20.0)) as running:
        yield running


@pytest.fixture
async def scene(sim: Simulation) -> Scene:
    return await make_scene(sim)


@pytest.fixture
async def fast_scene(fast_sim: Simulation) -> Scene:
    return await make_scene(fast_sim)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running
