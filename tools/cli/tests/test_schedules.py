"""`muster schedules` against the real API; making one is the API's alone."""

from __future__ import annotations

import re
from typing import Any

import httpx

from .conftest import World


async def make(world: World, **changes: Any) -> None:
    """Schedule 1."""
    body = {
        "name": "Stand-up",
        "cron": "0 9 * * 1-5",
        "timezone": "Europe/Berlin",
        "message": {"type": "text", "text": "Good morning"},
        "targets": {"tags": ["berlin"], "exclude_group_ids": [7]},
    }
    where = world.operator.environment
    headers = {"Authorization": f"Bearer {where['MUSTER_API_KEY']}", "Idempotency-Key": "s1"}
    async with httpx.AsyncClient(base_url=where["MUSTER_URL"], headers=headers) as client:
        (await client.post("/api/schedules", json=body | changes)).raise_for_status()


async def test_schedules_are_listed_and_shown(world: World) -> None:
    none = await world.operator.muster("schedules")
    assert (none.code, none.out, "POST /api/schedules" in none.err) == (0, "", True)
    await make(world)
    listed = await world.operator.muster("schedules", "list")
    assert re.search(r"1 +Stand-up +0 9 \* \* 1-5 +Europe/Berlin +enabled +20\d\d-\d\d-\d\d 09:00", listed.out)
    shown = await world.operator.muster("schedules", "show", "1")
    assert re.search(r"targets +tag berlin; exclude-group 7", shown.out)
    assert "Good morning" in shown.out
    assert len((await world.operator.muster("schedules", "show", "1", "--json")).document["next_dates"]) == 5
    other = await world.operator.muster("schedules", "show", "2")
    assert (other.code, "muster schedules list" in other.err) == (1, True)


async def test_dates_are_those_of_the_schedules_own_clock(world: World) -> None:
    await make(world, timezone="Asia/Tokyo")
    listed = await world.operator.muster("schedules", "list")
    assert re.search(r" enabled +20\d\d-\d\d-\d\d 09:00 \+0900 ", listed.out)
    shown = await world.operator.muster("schedules", "show", "1")
    assert len(re.findall(r" 20\d\d-\d\d-\d\d 09:00 \+0900", shown.out)) == 5
    assert " 09:00 +0900." in (await world.operator.muster("schedules", "enable", "1")).out


async def test_one_is_disabled_and_enabled_again(world: World) -> None:
    await make(world)
    off = await world.operator.muster("schedules", "disable", "1")
    assert (off.code, off.out) == (0, "Schedule 1 (Stand-up) is disabled.\n")
    assert "disabled" in (await world.operator.muster("schedules", "list")).out
    on = await world.operator.muster("schedules", "enable", "1")
    assert on.out.startswith("Schedule 1 (Stand-up) is enabled; the next broadcast is made 20")
    twice = await world.operator.muster("schedules", "enable", "1", "--json")
    assert (twice.code, twice.document["enabled"]) == (0, True)


async def test_one_is_deleted_when_that_is_confirmed(world: World) -> None:
    await make(world)
    unasked = await world.operator.muster("schedules", "delete", "1")
    assert (unasked.code, "give --yes" in unasked.err) == (2, True)
    async with world.operator.terminal("schedules", "delete", "1") as terminal:
        await terminal.shows("Delete schedule 1 (Stand-up) for good? [y/N]")
        terminal.types("n\n")
        assert await terminal.ended() == 2
    assert len(await world.rows("schedules")) == 1
    done = await world.operator.muster("schedules", "delete", "1", "--yes")
    assert (done.code, done.out) == (0, "Schedule 1 (Stand-up) is deleted.\n")
    assert await world.rows("schedules") == []
