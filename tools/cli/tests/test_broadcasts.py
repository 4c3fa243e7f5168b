"""`muster broadcasts`: lists, what is shown of one, and steering."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from common.clock import utc_now
from common.store import broadcasts, steering
from muster_cli.testing import Operator

from .conftest import World


async def test_an_empty_list_says_what_to_do_next(world: World) -> None:
    done = await world.operator.muster("broadcasts", "list")
    assert (done.code, done.out) == (0, "")
    assert "There are no broadcasts that this key may see." in done.err
    assert "muster send" in done.err
    as_json = await world.operator.muster("broadcasts", "list", "--json")
    assert (as_json.code, as_json.out, as_json.err) == (0, "", "")


async def test_a_list_goes_over_pages_and_says_where_it_was_cut(world: World) -> None:
    await world.grow(1)
    async with world.db.transaction() as tx:
        await tx.execute(
            """INSERT INTO broadcasts (all_groups, content, state) SELECT true, '{}', 'done'
               FROM generate_series(1, 430)"""
        )
    every = await world.operator.muster("broadcasts", "list", "--limit", "0", "--json")
    assert [row["broadcast_id"] for row in every.lines] == list(range(430, 0, -1))
    cut = await world.operator.muster("broadcasts", "list", "--limit", "3")
    assert [line.split()[0] for line in cut.out.splitlines()] == ["ID", "430", "429", "428"]
    assert "the first 3; more with --limit" in cut.err
    none = await world.operator.muster("broadcasts", "list", "--state", "paused")
    assert (none.out, "No broadcast that this key may see is paused." in none.err) == ("", True)


async def test_show_and_deliveries(world: World) -> None:
    await world.grow(3, title="a\x1b[31m\u202eb ")
    number = await world.plan()
    await world.settle(number, "sent", "failed", "unknown")
    shown = await world.operator.muster("broadcasts", "show", "1")
    assert "1 sent, 1 failed, 1 unknown" in shown.out
    assert "hello" in shown.out
    assert "next: muster broadcasts retry-failed 1 (for groups that can be sent to again)" in shown.err
    assert "next: muster broadcasts resolve-unknown 1 --sent" in shown.err
    failed = await world.operator.muster("broadcasts", "deliveries", "1", "--state", "failed")
    assert [line.split()[1] for line in failed.out.splitlines()] == ["GROUP", "2"]
    assert "no_rights" in failed.out
    assert r"a\x1b[31mb 1" in failed.out  # a title moves no cursor and turns no line
    every = await world.operator.muster("broadcasts", "deliveries", "1", "--json")
    assert [row["state"] for row in every.lines] == ["sent", "failed", "unknown"]
    assert every.out.isascii()
    none = await world.operator.muster("broadcasts", "deliveries", "1", "--state", "expired")
    assert "No delivery is expired." in none.err


async def test_what_is_said_to_whom_is_listed_and_shown(world: World) -> None:
    await world.grow(25, tags=["berlin"])
    album = [{"type": "photo", "media": "A" * 20, "caption": "The map"}, {"type": "video", "media": "B" * 20}]
    text = "We meet\nat noon, all of us, where we have always met since we began."
    await world.operator.muster("send", "--tag", "berlin", "--button", "Map=https://example.org", "--yes", text)
    await world.plan()
    async with world.db.transaction() as tx:
        content, ids = {"method": "sendMediaGroup", "params": {"media": album}}, list(range(1, 26))
        await tx.execute(
            "UPDATE broadcasts SET content = $1, all_groups = false, group_ids = $2 WHERE broadcast_id = 2",
            content,
            ids,
        )
    heading, second, first = (await world.operator.muster("broadcasts", "list")).out.splitlines()
    assert heading.split()[-1] == "MESSAGE"
    assert second.rstrip().endswith("sendMediaGroup: The map")
    assert first.rstrip().endswith(" We meet at noon, all of us, where we have always met since w…")
    shown = (await world.operator.muster("broadcasts", "show", "1")).out
    assert re.search(r"for +tag berlin", shown)
    assert re.search(r"buttons +Map=https://example.org", shown)
    shown = (await world.operator.muster("broadcasts", "show", "2")).out
    assert re.search(r"for +group 1, 2, .*, 20 and 5 more", shown)
    assert re.search(rf"files +photo {'A' * 20} *\n +video {'B' * 20} *\nmessage +The map", shown)


async def test_pause_resume_and_what_is_not_possible(world: World) -> None:
    await world.grow(1)
    await world.plan()
    paused = await world.operator.muster("broadcasts", "pause", "1")
    assert (paused.code, paused.out) == (0, "Broadcast 1 is paused.\n")
    again = await world.operator.muster("broadcasts", "pause", "1")
    assert (again.code, again.out) == (1, "")
    assert "409 Conflict: this can't be done with the broadcast: it is paused" in again.err
    resumed = await world.operator.muster("broadcasts", "resume", "1", "--json")
    assert resumed.document == {"broadcast_id": 1, "state": "running", "deliveries": 0, "more": False}


async def test_a_repeated_steering_gets_the_first_ones_answer(world: World) -> None:
    await world.grow(1)
    await world.plan()
    words = ("broadcasts", "pause", "1", "--idempotency-key", "once")
    assert [(await world.operator.muster(*words)).code for _ in range(2)] == [0, 0]


async def test_cancel_asks(world: World) -> None:
    await world.grow(1)
    await world.plan()
    assert (await world.operator.muster("broadcasts", "cancel", "1")).code == 2
    async with world.operator.terminal("broadcasts", "cancel", "1") as terminal:
        await terminal.shows("broadcast 1 running: 0 sent, 0 failed, 0 unknown, 1 left of 1")
        await terminal.shows("Cancel it for good? [y/N]")
        terminal.types("no\n")
        assert await terminal.ended() == 2
    assert (await world.rows("broadcasts"))[0]["state"] == "running"
    done = await world.operator.muster("broadcasts", "cancel", "1", "--yes")
    assert (done.code, done.out) == (0, "Broadcast 1 is cancelled.\n")


async def test_a_retry_asks_until_there_are_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "MOST", 2)
    await world.grow(5)
    await world.settle(await world.plan(), *["failed"] * 5)
    retried = await world.operator.muster("broadcasts", "retry-failed", "1")
    assert retried.out == "Broadcast 1 is running; 5 deliveries.\n"
    await world.settle(1, *["failed"] * 5)
    once = [await world.operator.muster("broadcasts", "retry-failed", "1", "--idempotency-key", "k") for _ in range(2)]
    assert [each.out for each in once] == ["Broadcast 1 is running; 5 deliveries.\n"] * 2


@pytest.mark.parametrize(
    ("state", "words"),
    [("unknown", ("resolve-unknown", "1", "--resend")), ("failed", ("retry-failed", "1"))],
)
async def test_what_ends_while_it_asks_is_not_sent_again_unasked(
    world: World, monkeypatch: pytest.MonkeyPatch, state: str, words: tuple[str, ...]
) -> None:
    """Each request takes two, which are sent at once and end as before."""
    monkeypatch.setattr(steering, "MOST", 2)
    await world.grow(5)
    await world.settle(await world.plan(), *[state] * 5)
    real, sent = steering.again, list[int]()

    async def again(tx: Any, *args: Any, **options: Any) -> int:
        async with world.db.transaction() as sender:
            rows = await sender.fetch(
                "UPDATE deliveries SET state = $1, settled_at = now() WHERE state = 'pending' RETURNING delivery_id",
                state,
            )
        sent.extend(row["delivery_id"] for row in rows)
        return await real(tx, *args, **options)

    monkeypatch.setattr(steering, "again", again)
    done = await world.operator.muster("broadcasts", *words)
    assert done.out == "Broadcast 1 is running; 5 deliveries.\n"
    assert len(sent) == len(set(sent)) == 4, f"sent again: {sent}"


async def test_what_becomes_unknown_while_it_asks_is_not_called_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "MOST", 2)
    await world.grow(4)
    await world.settle(await world.plan(), "unknown", "unknown", "sending", "sending", state="running")
    real = steering.mark_sent

    async def mark_sent(tx: Any, *args: Any) -> int:
        marked = await real(tx, *args)
        async with world.db.transaction() as sender:
            await sender.execute("UPDATE deliveries SET state = 'unknown', settled_at = now() WHERE state = 'sending'")
        return marked

    monkeypatch.setattr(steering, "mark_sent", mark_sent)
    done = await world.operator.muster("broadcasts", "resolve-unknown", "1", "--sent")
    assert done.out == "Broadcast 1 is running; 2 deliveries.\n"
    assert sorted(row["state"] for row in await world.rows("deliveries")) == ["sent", "sent", "unknown", "unknown"]


async def test_retry_failed_and_resolve_unknown(world: World) -> None:
    await world.grow(4)
    await world.plan()
    await world.settle(1, "failed", "unknown", "unknown", "unknown")
    ids = [str(row["delivery_id"]) for row in await world.rows("deliveries")]
    sent = await world.operator.muster("broadcasts", "resolve-unknown", "1", "--sent", "--delivery", ",".join(ids[1:3]))
    assert (sent.code, sent.out) == (0, "Broadcast 1 is done; 2 deliveries.\n")
    again = await world.operator.muster("broadcasts", "resolve-unknown", "1", "--resend")
    assert again.out == "Broadcast 1 is running; 1 delivery.\n"
    retried = await world.operator.muster("broadcasts", "retry-failed", "1")
    assert retried.out == "Broadcast 1 is running; 1 delivery.\n"
    assert [row["state"] for row in await world.rows("deliveries")] == ["pending", "sent", "sent", "pending"]
    nothing = await world.operator.muster("broadcasts", "retry-failed", "1")
    assert "nothing failed that could be sent again" in nothing.err
    assert (await world.operator.muster("broadcasts", "resolve-unknown", "1")).code == 2


async def test_one_that_was_cancelled_before_its_plan_is_not_being_planned(world: World) -> None:
    await world.grow(1)
    await world.operator.muster("send", "--all", "--yes", "hello")
    assert ", more are being planned" in (await world.operator.muster("broadcasts", "show", "1")).out
    await world.operator.muster("broadcasts", "cancel", "1", "--yes")
    assert "0, the others were not planned" in (await world.operator.muster("broadcasts", "show", "1")).out


async def test_a_state_of_recalls_asks_for_the_recall(alone: Operator) -> None:
    done = await alone.muster("broadcasts", "deliveries", "1", "--state", "done")
    assert (done.code, "give its --revision" in done.err) == (2, True)


async def test_one_that_its_content_paused_says_how_it_goes_on(world: World) -> None:
    await world.grow(2)
    await world.plan(send_at=utc_now() - timedelta(seconds=1))
    async with world.db.transaction() as tx:
        await broadcasts.pause(tx, 1, "content: 400 Bad Request: can't parse entities")
    shown = await world.operator.muster("broadcasts", "show", "1")
    assert "can't parse entities" in shown.out
    assert "next: muster broadcasts edit 1" in shown.err
    assert "next: muster broadcasts resume 1 (or cancel 1)" in shown.err
    await world.settle(1, "failed", "failed")  # nothing was left, and it is done
    over = await world.operator.muster("broadcasts", "show", "1")
    assert "done: content: 400 Bad Request: can't parse entities" in over.out
    assert [line.removeprefix("next: muster broadcasts ").split(" (")[0] for line in over.err.splitlines()] == [
        "edit 1", "deliveries 1 --state failed", "retry-failed 1",
    ]  # fmt: skip
    refused = await world.operator.muster("broadcasts", "resume", "1")
    assert (refused.code, "muster broadcasts retry-failed 1 sends again what failed" in refused.err) == (1, True)


async def test_a_retry_is_no_next_step_where_the_time_to_live_is_over(world: World) -> None:
    await world.grow(2)
    await world.plan()
    await world.settle(1, "failed", "expired")
    assert "retry-failed" not in (await world.operator.muster("broadcasts", "show", "1")).err
