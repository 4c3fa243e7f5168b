"""`muster broadcasts watch` and `send --watch`: what they show, and when and how they end."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from common.clock import utc_now
from common.store import broadcasts

from .conftest import World


@pytest.mark.parametrize(
    ("ends", "state", "code"),
    [
        (("sent", "sent"), "done", 0),
        (("sent", "failed"), "done", 4),
        (("sent", "unknown"), "done", 4),
        (("sent", "expired"), "done", 4),
        (("sent", "pending"), "cancelled", 4),
    ],
)
async def test_the_exit_code_of_a_watch(world: World, ends: tuple[str, str], state: str, code: int) -> None:
    await world.grow(2)
    await world.plan()
    await world.settle(1, *ends, state=state)
    done = await world.operator.muster("broadcasts", "watch", "1")
    assert (done.code, len(done.out.splitlines())) == (code, 1)
    assert done.out.startswith(f"broadcast 1 {state}: {ends.count('sent')} sent, ")
    assert "\x1b" not in done.out
    assert (await world.operator.muster("broadcasts", "watch", "1", "--json")).lines[-1]["state"] == state


async def test_cancelled_and_expired_ones_are_counted_apart(world: World) -> None:
    await world.grow(4)
    await world.plan()
    await world.settle(1, "sent", "expired", "expired", "cancelled", state="cancelled")
    done = await world.operator.muster("broadcasts", "watch", "1")
    counts = "1 sent, 0 failed, 0 unknown, 1 cancelled, 2 expired"
    assert done.out == f"broadcast 1 cancelled: {counts} of 4\n"
    async with world.operator.terminal("broadcasts", "watch", "1") as terminal:
        await terminal.shows("1 cancelled  2 expired")


async def test_before_its_plan_nobody_is_left_of_nobody(world: World) -> None:
    await world.grow(2)
    process = await world.operator.start("send", "--all", "--yes", "--watch", "hello")
    assert process.stdout is not None
    seen = [(await process.stdout.readline()).decode() for _ in range(2)]
    await world.plan(1)
    seen.append((await process.stdout.readline()).decode())
    await world.settle(1, "sent", "sent")
    await process.communicate()
    assert seen[1:] == [
        "broadcast 1 planning: its groups are being planned\n",
        "broadcast 1 running: 0 sent, 0 failed, 0 unknown, 2 left of 2 (0.0/s, 1 s left)\n",
    ]


async def test_a_scheduled_one_is_planned_when_it_begins(world: World) -> None:
    await world.grow(1)
    await world.operator.muster("send", "--all", "--at", "+1h", "hello")
    shown = await world.operator.muster("broadcasts", "show", "1")
    assert re.search(r"groups +planned when it begins", shown.out)
    assert " left" not in shown.out
    assert re.search(r"1 +scheduled +when it begins ", (await world.operator.muster("broadcasts", "list")).out)
    async with world.operator.terminal("broadcasts", "watch", "1") as terminal:
        await terminal.shows("planned when it begins")
        assert "%" not in terminal.text


async def test_one_that_was_planned_for_nobody(world: World) -> None:
    await world.plan()
    await world.settle(1)
    done = await world.operator.muster("broadcasts", "watch", "1")
    assert (done.code, done.out) == (4, "broadcast 1 done: 0 sent, 0 failed, 0 unknown of 0\n")


async def test_a_cancelled_one_is_watched_until_what_is_at_telegram_has_come_back(world: World) -> None:
    await world.grow(2)
    await world.plan()
    await world.settle(1, "sending", "cancelled", state="cancelled")
    process = await world.operator.start("broadcasts", "watch", "1", "--interval", "0.1")
    assert process.stdout is not None
    assert b"cancelled: 0 sent" in await process.stdout.readline()
    await world.settle(1, "sent", "cancelled", state="cancelled")
    out, _ = await process.communicate()
    assert (process.returncode, out.splitlines()[-1][:29]) == (4, b"broadcast 1 cancelled: 1 sent")


async def test_a_watch_in_a_pipe_says_each_change_of_state(world: World) -> None:
    await world.grow(2)
    await world.plan(send_at=utc_now() - timedelta(seconds=1))
    process = await world.operator.start("broadcasts", "watch", "1", "--interval", "0.1")
    assert process.stdout is not None
    seen = [await process.stdout.readline()]
    await world.operator.muster("broadcasts", "pause", "1")
    seen.append(await process.stdout.readline())
    await world.operator.muster("broadcasts", "resume", "1")
    seen.append(await process.stdout.readline())
    await world.settle(1, "sent", "sent")
    seen.append(await process.stdout.readline())
    _, said = await process.communicate()
    assert process.returncode == 0
    assert said.decode().count("next: muster broadcasts resume 1 (or cancel 1)") == 1
    assert [line.decode().split(":")[0] for line in seen] == [
        "broadcast 1 running", "broadcast 1 paused", "broadcast 1 running", "broadcast 1 done",
    ]  # fmt: skip
    assert b"paused by an operator" in seen[1]


async def test_a_watch_of_one_that_its_content_paused_ends_where_nobody_looks(world: World) -> None:
    await world.grow(2)
    await world.plan()
    await world.settle(1, "failed", "pending", state="running")
    async with world.db.transaction() as tx:
        await broadcasts.pause(tx, 1, "content: 400 Bad Request: can't parse entities")
    done = await world.operator.muster("broadcasts", "watch", "1")
    assert (done.code, done.err.count("muster broadcasts edit 1")) == (5, 1)
    assert done.err.count("muster broadcasts resume 1 (or cancel 1)") == 1
    as_json = await world.operator.muster("broadcasts", "watch", "1", "--json")
    said = json.loads(as_json.err)
    assert (as_json.code, as_json.lines[-1]["state"], said["error"]) == (5, "paused", "paused")
    async with world.operator.terminal("broadcasts", "watch", "1", "--interval", "0.1") as terminal:
        await terminal.shows("next: muster broadcasts resume 1 (or cancel 1)")
        await world.settle(1, "failed", "sent")
        assert await terminal.ended() == 4


async def test_a_watch_gives_up_after_the_time_that_it_was_given(world: World) -> None:
    await world.grow(1)
    words = ("send", "--all", "--at", "+1h", "hello", "--watch", "--give-up-after", "1s")
    done = await world.operator.muster(*words)
    assert (done.code, "broadcast 1 has not ended within 1 s" in done.err) == (6, True)
    async with world.operator.terminal("broadcasts", "watch", "1", "--give-up-after", "0") as terminal:
        assert await terminal.ended() == 6


async def test_a_watch_gives_up_in_time_where_nobody_answers(world: World) -> None:
    world.to_api.refuse = True
    done = await world.operator.muster("broadcasts", "watch", "1", "--give-up-after", "1s")
    assert (done.code, "broadcast 1 has not ended within 1 s" in done.err) == (6, True)


async def test_the_picture_on_a_terminal(world: World) -> None:
    await world.grow(40)
    await world.plan()
    async with world.operator.terminal("broadcasts", "watch", "1", "--interval", "0.1") as terminal:
        await terminal.shows("0% of 40")
        await world.settle(1, *["sent"] * 9, "failed", *["pending"] * 30, state="running")
        await terminal.shows("25% of 40")
        await terminal.shows("9 sent  1 failed  0 unknown  30 left  9.0/s, 1 s left")
        await world.settle(1, *["sent"] * 38, "failed", "unknown")
        assert await terminal.ended() == 4
        await terminal.shows("next: muster broadcasts resolve-unknown 1 --sent")
        assert "100% of 40" in terminal.text
        assert "38 sent  1 failed  1 unknown" in terminal.text
        assert "\x1b[1A" in terminal.raw  # drawn over, not line after line
        assert "\x1b[?25h" in terminal.raw  # the cursor is back


async def test_a_terminal_of_few_columns(world: World) -> None:
    await world.grow(2)
    await world.plan()
    await world.settle(1, "sent", "sent")
    async with world.operator.terminal("broadcasts", "watch", "1", columns=30) as terminal:
        assert await terminal.ended() == 0
        await terminal.shows("100% of 2")


async def test_a_watch_lives_through_a_restart_of_the_api(world: World) -> None:
    await world.grow(1)
    await world.plan()
    async with world.operator.terminal("broadcasts", "watch", "1", "--interval", "0.1") as terminal:
        await terminal.shows("0% of 1")
        world.to_api.refuse = True
        world.to_api.reset()
        await terminal.shows("trying again in")
        await world.settle(1, "sent")
        world.to_api.heal()
        assert await terminal.ended() == 0
        assert "100% of 1" in terminal.text


async def test_ctrl_c_leaves_the_broadcast_alone(world: World) -> None:
    await world.grow(1)
    await world.plan()
    async with world.operator.terminal("broadcasts", "watch", "1") as terminal:
        await terminal.shows("0% of 1")
        terminal.types("\x03")
        assert await terminal.ended() == 130
        await terminal.shows("the broadcast goes on; muster broadcasts watch 1")
    assert (await world.rows("broadcasts"))[0]["state"] == "running"


async def test_a_watch_of_none(world: World) -> None:
    done = await world.operator.muster("broadcasts", "watch", "9", "--json")
    assert (done.code, json.loads(done.err)["code"]) == (1, "broadcast_not_found")
