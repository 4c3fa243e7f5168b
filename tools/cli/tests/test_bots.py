"""`muster bots`: a bot is registered, looked after and changed, and no token is ever shown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from telegram_sim.testing import Simulation

from .conftest import FIRST, World

TOKEN = f"{FIRST}:AAF4keT0kenForTests-0123456789_abcd"
NEXT = f"{FIRST}:BBF4keT0kenForTests-0123456789_abcd"
HERE = "http://127.0.0.1:1"


@pytest.fixture
async def telegram(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulation]:
    """Asked for before the world, whose API talks to it."""
    async with Simulation() as running:
        await running.admin("POST", "bots", token=TOKEN, username="shop", first_name="Shop")
        monkeypatch.setenv("TELEGRAM_API_URL", running.url)
        monkeypatch.setenv("MUSTER_PUBLIC_URL", HERE)
        yield running


async def test_a_bot_from_its_token_to_its_next_one(telegram: Simulation, world: World) -> None:
    made = await world.operator.muster("bots", "add", given=f"{TOKEN}\n")
    assert (made.code, made.err) == (0, "")
    assert "@shop" in made.out
    assert telegram.stage.world.bots[FIRST].webhook.url.startswith(HERE)
    bot = str(FIRST)
    assert "health" in (await world.operator.muster("bots", "check", bot)).out
    slower = await world.operator.muster("bots", "set", bot, "--per-second", "20", "--json")
    assert slower.document["per_second"] == 20
    assert "active, disabled" in (await world.operator.muster("bots", "disable", bot)).out
    assert "disabled" not in (await world.operator.muster("bots", "enable", bot)).out
    assert (await world.operator.muster("bots", "rotate-secret", bot)).code == 0
    telegram.stage.world.bots[FIRST].token = NEXT
    replaced = await world.operator.muster("bots", "replace-token", bot, given=NEXT)
    assert replaced.code == 0
    assert not {TOKEN.split(":")[1], NEXT.split(":")[1]} & set((made.out + replaced.out + replaced.err).split(":"))


async def test_a_webhook_is_left_alone_on_request(telegram: Simulation, world: World) -> None:
    assert (await world.operator.muster("bots", "add", "--no-webhook", given=TOKEN)).code == 0
    assert telegram.stage.world.bots[FIRST].webhook is None


async def test_what_is_no_token_is_not_repeated(telegram: Simulation, world: World) -> None:
    refused = await world.operator.muster("bots", "add", given="canary-token")
    assert refused.code == 1
    assert "canary" not in refused.out + refused.err
    nothing = await world.operator.muster("bots", "add")
    assert nothing.code == 2
    assert "muster bots add < FILE" in nothing.err


async def test_a_token_is_asked_for_and_not_shown(telegram: Simulation, world: World) -> None:
    async with world.operator.terminal("bots", "add") as terminal:
        await terminal.shows("token (not shown)")
        terminal.types(f"{TOKEN}\n")
        await terminal.shows("@shop")
        assert TOKEN not in terminal.text
