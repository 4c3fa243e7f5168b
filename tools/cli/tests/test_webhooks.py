"""`muster webhooks` against the real API; only the name servers are the test's."""

from __future__ import annotations

import re

import pytest
from common import addresses
from muster_cli.testing import Operator

from .conftest import World

_URL = "https://hooks.shop.com/muster"


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(host: str, _: object) -> list[str]:
        if host != "hooks.shop.com":
            raise OSError(-2, "Name or service not known")
        return ["93.184.216.34"]

    monkeypatch.setattr(addresses, "resolve", resolve)


async def make(world: World, *words: str) -> str:
    """Webhook 1; its secret."""
    made = await world.operator.muster("webhooks", "new", _URL, "--kind", "broadcast.finished", *words)
    assert made.code == 0, made.err
    return made.out.strip()


async def test_an_empty_list_says_what_to_do_next(world: World) -> None:
    done = await world.operator.muster("webhooks")
    assert (done.code, done.out, "muster webhooks new URL" in done.err) == (0, "", True)


async def test_a_secret_is_printed_once_and_alone(world: World) -> None:
    secret = await make(world, "--bot", "111111,222222", "--kind", "delivery.failed")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/=]+", secret)
    listed = await world.operator.muster("webhooks", "list")
    row = listed.out.splitlines()[1]
    assert re.search(rf"1 +{_URL} +broadcast\.finished, delivery\.failed +111111, 222222 +enabled +key:", row)
    shown = await world.operator.muster("webhooks", "show", "1")
    assert re.search(r"state +enabled", shown.out)
    assert secret not in listed.out + shown.out


async def test_a_secret_is_rotated(world: World) -> None:
    first = await make(world)
    rotated = await world.operator.muster("webhooks", "rotate", "1", "--overlap", "2h")
    assert (rotated.code, rotated.out.strip() != first) == (0, True)
    assert "the old secret signs until 20" in rotated.err
    again = await world.operator.muster("webhooks", "rotate", "1")
    assert (again.code, "--overlap 0" in again.err) == (1, True)
    assert (await world.operator.muster("webhooks", "rotate", "1", "--overlap", "0")).code == 0


async def test_one_is_changed_disabled_and_enabled(world: World) -> None:
    await make(world)
    done = await world.operator.muster("webhooks", "set", "1", "--kind", "delivery.unknown", "--json")
    assert (done.document["kinds"], done.document["url"]) == (["delivery.unknown"], _URL)
    off = await world.operator.muster("webhooks", "disable", "1")
    assert off.out == f"Webhook 1 ({_URL}) is disabled: delivery.unknown.\n"
    refused = await world.operator.muster("webhooks", "test", "1")
    assert (refused.code, "disabled" in refused.err) == (1, True)
    assert "is enabled" in (await world.operator.muster("webhooks", "enable", "1")).out
    inside = await world.operator.muster("webhooks", "set", "1", "--address", "https://nowhere.shop.com/x")
    assert (inside.code, "url: must have a host" in inside.err) == (1, True)
    nothing = await world.operator.muster("webhooks", "set", "1")
    assert (nothing.code, "give --address or --kind" in nothing.err) == (2, True)


async def test_a_test_is_on_its_way_and_listed(world: World) -> None:
    await make(world)
    none = await world.operator.muster("webhooks", "deliveries", "1")
    assert (none.code, none.out, "muster webhooks test 1" in none.err) == (0, "", True)
    told = await world.operator.muster("webhooks", "test", "1")
    event = told.out.split()[0]
    assert told.out == f"{event} is on its way.\n"
    listed = await world.operator.muster("webhooks", "deliveries", "1", "--state", "pending")
    assert re.search(rf"1 +webhook\.test +{event} +pending +0", listed.out)


async def test_what_happened_is_told_once_more(world: World) -> None:
    await make(world, "--kind", "broadcast.cancelled")
    await world.grow(1)
    await world.plan()
    await world.operator.muster("broadcasts", "cancel", "1", "--yes")
    since = await world.operator.muster("webhooks", "replay", "1", "--since", "1h", "--json")
    assert (since.code, since.document) == (0, {"events": 1, "more_after": None})
    [event] = [row["event_id"] for row in await world.rows("events")]
    one = await world.operator.muster("webhooks", "replay", "1", "--event", f"evt_{event}")
    assert (one.code, one.out) == (0, "1 event is told once more.\n")
    unknown = await world.operator.muster("webhooks", "replay", "1", "--event", "evt_999")
    assert (unknown.code, "muster webhooks deliveries" in unknown.err) == (1, True)


async def test_one_is_deleted_when_that_is_confirmed(world: World) -> None:
    await make(world)
    async with world.operator.terminal("webhooks", "delete", "1") as terminal:
        await terminal.shows(f"Delete webhook 1 ({_URL}) for good? [y/N]")
        terminal.types("n\n")
        assert await terminal.ended() == 2
    assert len(await world.rows("webhooks")) == 1
    done = await world.operator.muster("webhooks", "delete", "1", "--yes")
    assert (done.code, done.out) == (0, f"Webhook 1 ({_URL}) is deleted.\n")
    assert await world.rows("webhooks") == []
    other = await world.operator.muster("webhooks", "show", "1")
    assert (other.code, "muster webhooks list" in other.err) == (1, True)


async def test_a_secret_whose_answer_was_lost(world: World) -> None:
    world.to_api.freeze("down")
    words = ("webhooks", "new", _URL, "--kind", "broadcast.paused", "--timeout", "1")
    done = await world.operator.muster(*words)
    assert (done.code, done.out) == (3, "")
    assert "muster webhooks list shows whether it was registered" in done.err
    assert len(await world.rows("webhooks")) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["new", _URL],
        ["new", _URL, "--kind", "everything"],
        ["replay", "1"],
        ["replay", "1", "--since", "1h", "--after", "evt_1"],
        ["rotate", "1", "--overlap", "soon"],
        ["deliveries", "1", "--state", "sent"],
        ["delete", "x", "--yes"],
    ],
)
async def test_what_makes_no_sense(alone: Operator, words: list[str]) -> None:
    done = await alone.muster("webhooks", *words)
    assert (done.code, done.out) == (2, "")
