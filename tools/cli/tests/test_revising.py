"""`muster broadcasts recall` and `edit`, and what the other verbs say of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from common.store import revisions
from muster_cli.testing import Operator

from .conftest import World


async def over(world: World, *states: str, state: str = "done") -> None:
    """Broadcast 1, whose deliveries stand so and were sent now."""
    await world.grow(len(states))
    await world.plan()
    await world.settle(1, *states, state=state)
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET message_id = 7, message_ids = '{7}' WHERE state = 'sent'")


async def revised(world: World, *states: str, revision_id: int = 1, end: str | None = "done") -> None:
    """The revision's messages stand so, in order; without an end it still runs."""
    async with world.db.transaction() as tx:
        await revisions.plan(tx, revision_id, limit=1000)
        await revisions.plan(tx, revision_id, limit=1000)
        rows = await tx.fetch("SELECT item_id FROM revision_items WHERE revision_id = $1 ORDER BY 1", revision_id)
        for row, each in zip(rows, states, strict=True):
            await tx.execute("UPDATE revision_items SET state = $2 WHERE item_id = $1", row["item_id"], each)
        if end is not None:
            await tx.execute(
                "UPDATE revisions SET state = $2, finished_at = now() WHERE revision_id = $1", revision_id, end
            )


async def content(world: World) -> dict[str, Any]:
    """Of broadcast 1."""
    found = (await world.rows("broadcasts"))[0]["content"]
    whole: dict[str, Any] = found if isinstance(found, dict) else json.loads(found)
    return whole


async def test_a_recall_asks_and_names_what_it_is_about(world: World) -> None:
    await over(world, "sent", "sent", "failed")
    unasked = await world.operator.muster("broadcasts", "recall", "1")
    assert (unasked.code, "give --yes" in unasked.err) == (2, True)
    async with world.operator.terminal("broadcasts", "recall", "1") as terminal:
        await terminal.shows("broadcast 1 done: 2 sent, 1 failed, 0 unknown of 3")
        await terminal.shows("Delete its messages in every group for good, and send no further ones? [y/N]")
        terminal.types("n\n")
        assert await terminal.ended() == 2
    assert await world.rows("revisions") == []
    done = await world.operator.muster("broadcasts", "recall", "1", "--yes")
    assert (done.code, done.out) == (
        0, "Broadcast 1 is being recalled: 2 messages, until the last one 1 s from now.\n",
    )  # fmt: skip
    assert "next: muster broadcasts watch 1" in done.err
    assert [row["kind"] for row in await world.rows("revisions")] == ["recall"]
    listed = (await world.operator.muster("broadcasts", "list")).out.splitlines()[1]
    assert listed.split()[:3] == ["1", "done,", "recalled"]


async def test_a_second_recall_says_what_became_of_the_first(world: World) -> None:
    await over(world, "sent", "sent")
    await world.operator.muster("broadcasts", "recall", "1", "--yes")
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE revisions SET total = 2, planned = true, state = 'done', finished_at = now()")
        await tx.execute(
            """INSERT INTO revision_items (revision_id, delivery_id, group_id, bot_id, state)
               SELECT 1, delivery_id, group_id, bot_id, 'done' FROM deliveries"""
        )
    again = await world.operator.muster("broadcasts", "recall", "1", "--yes")
    assert (again.code, again.out) == (0, "Broadcast 1: recall 1 done: 2 of 2 deleted.\n")


async def test_a_recall_for_scripts_is_made_once(world: World) -> None:
    await over(world, "sent")
    words = ("broadcasts", "recall", "1", "--yes", "--json", "--idempotency-key", "r1")
    first, second = await world.operator.muster(*words), await world.operator.muster(*words)
    assert (first.code, first.out) == (0, second.out)
    assert (first.document["kind"], first.document["sent"]) == ("recall", 1)
    assert len(await world.rows("revisions")) == 1


@pytest.mark.parametrize("words", [("recall", "1"), ("edit", "1", "new")])
async def test_one_that_runs_is_to_be_paused_first(world: World, words: tuple[str, ...]) -> None:
    await over(world, "sent", "pending", state="running")
    done = await world.operator.muster("broadcasts", *words, "--yes")
    assert (done.code, done.out) == (1, "")
    assert "409 Conflict: the broadcast is running: pause or cancel it first" in done.err


async def test_how_far_a_recall_is(world: World) -> None:
    await over(world, "sent", "sent", "sent", "unknown")
    await world.operator.muster("broadcasts", "recall", "1", "--yes")
    await revised(world, "done", "pending", "not_recallable", "failed", end=None)
    shown = await world.operator.muster("broadcasts", "show", "1")
    said = "recall 1 running: 1 of 4 deleted, 1 failed, 1 too old to be deleted, 1 left, 1 s to go"
    assert said in shown.out
    assert "next: muster broadcasts deliveries 1 --revision 1 --state failed" in shown.err
    assert "resend" not in shown.err
    failed = await world.operator.muster("broadcasts", "deliveries", "1", "--revision", "1", "--state", "failed")
    assert "nobody knows whether it was sent" in failed.out
    assert len(failed.out.splitlines()) == 2


async def test_a_watch_follows_the_recall_to_its_end(world: World) -> None:
    await over(world, "sent", "sent")
    await world.operator.muster("broadcasts", "recall", "1", "--yes")
    await revised(world, "done", "pending", end=None)
    process = await world.operator.start("broadcasts", "watch", "1", "--interval", "0.1")
    assert process.stdout is not None
    assert b"; recall 1 running: 1 of 2 deleted, 1 left" in await process.stdout.readline()
    await revised(world, "done", "done")
    out, _ = await process.communicate()
    assert (process.returncode, out.decode()) == (
        0, "broadcast 1 done: 2 sent, 0 failed, 0 unknown of 2; recall 1 done: 2 of 2 deleted\n",
    )  # fmt: skip


async def test_the_picture_has_the_recall_below(world: World) -> None:
    await over(world, "sent")
    await world.operator.muster("broadcasts", "recall", "1", "--yes")
    async with world.operator.terminal("broadcasts", "watch", "1", "--interval", "0.1") as terminal:
        await terminal.shows("recall 1 running: 0 of 0 deleted")
        await revised(world, "done")
        assert await terminal.ended() == 0
        await terminal.shows("recall 1 done: 1 of 1 deleted")


@pytest.mark.parametrize(
    ("words", "sent", "ends", "end", "code"),
    [
        (("recall", "1"), "sent", ("done", "done"), "done", 0),
        (("recall", "1"), "failed", ("done",), "done", 0),
        (("recall", "1"), "sent", ("done", "not_recallable"), "done", 4),
        (("edit", "1", "new"), "sent", ("done", "done"), "done", 0),
        (("edit", "1", "new"), "sent", ("done", "failed"), "done", 4),
        (("edit", "1", "new"), "sent", ("done", "cancelled"), "stopped", 4),
        (("edit", "1", "new"), "failed", ("done",), "done", 4),
    ],
)
async def test_the_exit_code_of_a_watch(
    world: World, words: tuple[str, ...], sent: str, ends: tuple[str, ...], end: str, code: int
) -> None:
    await over(world, "sent", sent)
    assert (await world.operator.muster("broadcasts", *words, "--yes")).code == 0
    await revised(world, *ends, end=end)
    assert (await world.operator.muster("broadcasts", "watch", "1")).code == code


async def test_an_edit_asks_and_changes_text_and_buttons(world: World) -> None:
    await over(world, "sent", "sent")
    words = ("broadcasts", "edit", "1", "--html", "--no-preview", "--button", "Map=https://example.org", "<b>new</b>")
    async with world.operator.terminal(*words) as terminal:
        await terminal.shows("Change its messages in every group? [y/N]")
        terminal.types("n\n")
        assert await terminal.ended() == 2
    assert await world.rows("revisions") == []
    done = await world.operator.muster(*words, "--yes")
    assert (done.code, done.out) == (0, "Broadcast 1 is being edited: 2 messages, until the last one 1 s from now.\n")
    markup = {"inline_keyboard": [[{"text": "Map", "url": "https://example.org"}]]}
    new = {"text": "<b>new</b>", "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}
    assert await content(world) == {"method": "sendMessage", "params": {**new, "reply_markup": markup}}
    bare = await world.operator.muster("broadcasts", "edit", "1", "--no-buttons", "--yes", given="")
    assert (bare.code, "reply_markup" in (await content(world))["params"]) == (0, False)
    assert (await content(world))["params"]["text"] == "<b>new</b>"


async def test_a_new_text_from_a_pipe(world: World) -> None:
    await over(world, "sent")
    done = await world.operator.muster("broadcasts", "edit", "1", "--yes", "--json", given="from a pipe\n")
    assert (done.code, done.document["kind"]) == (0, "edit")
    assert (await content(world))["params"] == {"text": "from a pipe"}


async def test_a_caption_where_there_is_none_says_which_option(world: World) -> None:
    await over(world, "sent")
    wrong = await world.operator.muster("broadcasts", "edit", "1", "--caption", "--yes", "new")
    assert (wrong.code, "these messages have a text, not a caption" in wrong.err) == (1, True)
    assert "without it where a text was" in wrong.err
    async with world.db.transaction() as tx:
        photo = {"method": "sendPhoto", "params": {"photo": "https://example.org/1.png", "caption": "old"}}
        await tx.execute("UPDATE broadcasts SET content = $1", photo)
    slip = await world.operator.muster("broadcasts", "edit", "1", "--yes", "--button", "a=https://example.org", "new")
    assert "--caption where a photo" in slip.err
    right = await world.operator.muster("broadcasts", "edit", "1", "--caption", "--markdown", "--yes", "*new*")
    assert right.code == 0, right.err
    assert (await content(world))["params"]["caption"] == "*new*"


@pytest.mark.parametrize("words", [(), ("--caption", "new")])
async def test_buttons_for_an_album_bring_no_advice_on_captions(world: World, words: tuple[str, ...]) -> None:
    await over(world, "sent")
    async with world.db.transaction() as tx:
        album = {"method": "sendMediaGroup", "params": {"media": [{"type": "photo", "media": "A" * 20}] * 2}}
        await tx.execute("UPDATE broadcasts SET content = $1", album)
    done = await world.operator.muster("broadcasts", "edit", "1", "--button", "a=https://example.org", "--yes", *words)
    assert (done.code, "an album has no buttons" in done.err, "--caption" in done.err) == (1, True, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "standard input is empty"),
        (["--caption", "--no-buttons"], "nothing to change it to"),
        (["--html", "--no-buttons"], "nothing to change it to"),
        (["--caption", "--no-preview", "x"], "--no-preview is for texts"),
        (["--button", "a=https://example.org", "--no-buttons"], "not allowed with"),
        (["--html", "--markdown", "x"], "not allowed with"),
        (["--file", "/nonexistent"], "can't be read"),
    ],
)
async def test_edits_that_make_no_sense(alone: Operator, words: list[str], said: str) -> None:
    done = await alone.muster("broadcasts", "edit", "7", "--yes", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
