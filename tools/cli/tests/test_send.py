"""`muster send` against the real API: what goes out, who is asked, and that a lost answer doubles nothing."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from muster_cli.testing import Operator

from .conftest import SECOND, World


async def content(world: World) -> dict[str, Any]:
    """Of the one broadcast."""
    [row] = await world.rows("broadcasts")
    found: dict[str, Any] = row["content"] if isinstance(row["content"], dict) else json.loads(row["content"])
    return found


async def test_one_group_is_sent_to_without_a_question(world: World) -> None:
    [group] = await world.grow(1)
    done = await world.operator.muster("send", "--group", str(group), "hello")
    assert (done.code, done.out) == (0, "Broadcast 1 is accepted. To 1 group, until the last one 1 s from now.\n")
    assert "muster broadcasts watch 1" in done.err
    assert await content(world) == {"method": "sendMessage", "params": {"text": "hello"}}


async def test_all_options_of_a_text_arrive(world: World) -> None:
    await world.grow(2, tags=["berlin"])
    await world.grow(1, SECOND, tags=["berlin", "quiet"])
    words = ["--tag", "berlin,hamburg", "--exclude-tag", "quiet", "--exclude-group", "2", "--html", "--silent"]
    words += ["--protect", "--no-preview", "--topic", "5", "--priority", "7", "--ttl", "1h30m", "--at", "+2h"]
    words += ["--on-unknown", "resend_once", "--button", "1+1=2 = https://example.org/?a=b", "--json", "<b>hi</b>"]
    done = await world.operator.muster("send", *words)
    assert (done.code, done.document["accepted"]) == (0, 1)
    markup = {"inline_keyboard": [[{"text": "1+1=2", "url": "https://example.org/?a=b"}]]}
    assert (await content(world))["params"] == {
        "text": "<b>hi</b>",
        "parse_mode": "HTML",
        "reply_markup": markup,
        "link_preview_options": {"is_disabled": True},
        "disable_notification": True,
        "protect_content": True,
        "message_thread_id": 5,
    }
    [row] = await world.rows("broadcasts")
    assert (row["priority"], row["on_unknown"], row["state"]) == (7, "resend_once", "scheduled")
    assert row["expires_at"] - row["send_at"] == timedelta(minutes=90)
    assert abs(row["send_at"] - row["created_at"] - timedelta(hours=2)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("words", "method", "params"),
    [
        (["--photo", "https://example.org/a.png", "look"], "sendPhoto", {"photo": "https://example.org/a.png"}),
        (["--video", "BAACAgIAAxkBAAIB", "look"], "sendVideo", {"video": "BAACAgIAAxkBAAIB"}),
        (["--document", "BQACAgIAAxkBAAIB", "look"], "sendDocument", {"document": "BQACAgIAAxkBAAIB"}),
        (["--copy", "-1001234567890:42", "look"], "copyMessage", {"from_chat_id": -1001234567890, "message_id": 42}),
        (
            ["--copy", "https://t.me/c/1234567890/42", "look"],
            "copyMessage",
            {"from_chat_id": -1001234567890, "message_id": 42},
        ),
    ],
)
async def test_files_and_copies_with_a_caption(
    world: World, words: list[str], method: str, params: dict[str, Any]
) -> None:
    await world.grow(1)
    done = await world.operator.muster("send", "--all", "--markdown", *words)
    assert done.code == 0, done.err
    assert await content(world) == {
        "method": method,
        "params": {**params, "caption": "look", "parse_mode": "MarkdownV2"},
    }


async def test_the_text_from_a_file_and_from_a_pipe(world: World, tmp_path: Path) -> None:
    await world.grow(1)
    file = tmp_path / "text"
    file.write_bytes("\ufeffgrüße\r\n\r\nund so\n".encode())
    seen = []
    for words, given in ((["--file", str(file)], None), (["-"], "a\n\nb\n"), ([], "c\n"), (["--file", "-"], "d")):
        assert (await world.operator.muster("send", "--all", *words, given=given)).code == 0
    for row in await world.rows("broadcasts"):
        found = row["content"] if isinstance(row["content"], dict) else json.loads(row["content"])
        seen.append(found["params"]["text"])
    assert seen == ["grüße\n\nund so", "a\n\nb", "c", "d"]


async def test_a_dry_run_sends_nothing_and_says_whom_it_would_reach(world: World) -> None:
    await world.grow(3)
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE groups SET out_reason = 'no_rights' WHERE group_id = $1", world.groups[0])
    done = await world.operator.muster("send", "--all", "--dry-run", "hello")
    assert done.code == 0
    assert done.out.startswith("Dry run, nothing is sent. To 2 groups; 1 skipped (1 ")
    as_json = await world.operator.muster("--json", "send", "--all", "--dry-run", "hello")
    assert (as_json.document["accepted"], as_json.document["broadcast_id"]) == (2, None)
    assert await world.rows("broadcasts") == []


SLIPS = ["--exclude-tag", "quite", "--ttl", "1s", "hi {{city}}"]
WARNINGS = [
    "warning: nothing stands in the place of {{city}} for 31 groups of 32",
    "warning: no group has the tag quite",
    "warning: the time to live ends before the last one is sent, 2 s from now",
]


async def test_slips_of_the_hand_are_warned_of_before_and_after(world: World) -> None:
    await world.grow(32)
    async with world.db.transaction() as tx:
        await tx.execute("""UPDATE groups SET variables = '{"city": "x"}' WHERE group_id = $1""", world.groups[0])
    dry = await world.operator.muster("send", "--all", "--dry-run", *SLIPS)
    assert (dry.code, dry.err.splitlines()) == (0, WARNINGS)
    asked = await world.operator.muster("send", "--all", *SLIPS)
    assert (asked.code, asked.err.splitlines()[1:4]) == (2, WARNINGS)
    sent = await world.operator.muster("send", "--all", "--yes", *SLIPS)
    assert (sent.code, sent.err.splitlines()[:3]) == (0, WARNINGS)
    as_json = await world.operator.muster("--json", "send", "--all", "--dry-run", *SLIPS)
    assert (as_json.document["without_value"], as_json.document["unknown_tags"]) == ({"city": 31}, ["quite"])
    nobody = await world.operator.muster("send", "--tag", "quite", "--yes", "x")
    assert (nobody.code, "no group has the tag quite" in nobody.err) == (1, True)
    assert as_json.err == ""


async def test_a_time_to_live_is_counted_from_when_it_may_begin(world: World) -> None:
    await world.grow(1)
    words = ("send", "--all", "--dry-run", "hello")
    assert (await world.operator.muster(*words, "--at", "+2h", "--ttl", "10s")).err == ""
    assert (await world.operator.muster(*words, "--ttl", "10s")).err == ""


async def test_whom_a_bot_that_is_off_keeps_waiting_is_said(world: World) -> None:
    await world.grow(2)
    await world.grow(3, SECOND)
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE bots SET enabled = false WHERE bot_id = $1", SECOND)
    done = await world.operator.muster("send", "--all", "--dry-run", "hello")
    assert (done.code, done.out) == (0, "Dry run, nothing is sent. To 5 groups.\n")
    waiting = "waiting: 3 for a bot that is disabled or has no valid token (muster bots)"
    assert done.err == f"warning: {waiting}\n"
    await world.operator.muster("send", "--all", "--yes", "hello")
    shown = await world.operator.muster("broadcasts", "show", "1")
    assert "waiting" not in shown.out, "it is not planned yet"
    await world.plan(1)
    shown = await world.operator.muster("broadcasts", "show", "1")
    assert waiting.removeprefix("waiting: ") in shown.out
    assert re.search(r"0\.0/s, 1 s left +\n", shown.out), "of the others"


async def test_how_many_messages_a_long_text_becomes_is_said(world: World) -> None:
    await world.grow(2)
    done = await world.operator.muster("send", "--all", "--dry-run", "word " * 2000)
    assert done.out == "Dry run, nothing is sent. To 2 groups, 3 messages each, until the last one 3 s from now.\n"


async def test_when_a_window_opens_is_told_apart_from_what_goes_on(world: World) -> None:
    await world.grow(3)
    await world.plan()
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE deliveries SET not_before = now() + interval '2 h' WHERE delivery_id = 1")
    shown = await world.operator.muster("broadcasts", "show", "1")
    assert re.search(r"0\.0/s, 1 s left, (2 h|1 h 59 min) with what waits ", shown.out)


async def test_a_dry_run_refuses_what_the_send_refuses(world: World) -> None:
    await world.grow(1)
    for words in (["--tag", "nosuch", "hello"], ["--all", "hi {{nosuch}}"]):
        for way in ("--dry-run", "--yes"):
            done = await world.operator.muster("send", *words, way)
            assert (done.code, done.out) == (1, "")
            assert "no group" in done.err
    assert "{{nosuch}}" in done.err


async def test_nobody_to_ask_and_more_than_one_group(world: World) -> None:
    await world.grow(2)
    done = await world.operator.muster("send", "--all", "hello")
    assert (done.code, done.out) == (2, "")
    assert "To 2 groups" in done.err
    assert "--yes" in done.err
    assert await world.rows("broadcasts") == []
    assert (await world.operator.muster("send", "--all", "--yes", "hello")).code == 0


@pytest.mark.parametrize(("answer", "code", "sent"), [("y\n", 0, 1), ("n\n", 2, 0), ("\n", 2, 0), ("\x04", 2, 0)])
async def test_the_question_on_a_terminal(world: World, answer: str, code: int, sent: int) -> None:
    await world.grow(2)
    async with world.operator.terminal("send", "--all", "hello") as terminal:
        await terminal.shows("To 2 groups, until the last one")
        await terminal.shows("Send it? [y/N]")
        assert await world.rows("broadcasts") == []
        terminal.types(answer)
        assert await terminal.ended() == code
    assert len(await world.rows("broadcasts")) == sent


async def test_the_question_while_standard_input_is_the_message(world: World) -> None:
    await world.grow(2)
    async with world.operator.terminal("send", "--all", "-", given=b"y\n") as terminal:
        await terminal.shows("Send it? [y/N]")
        terminal.types("y\n")
        assert await terminal.ended() == 0
    assert (await content(world))["params"] == {"text": "y"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hello"], "whom is it for"),
        (["--all", "--tag", "x", "hello"], "--all is everybody"),
        (["--all"], "standard input is empty"),
        (["--all", "--photo", "/etc/passwd", "x"], "muster media upload /etc/passwd"),
        (["--all", "--photo", "https://example.org/a.png", "--no-preview"], "--no-preview"),
        (["--all", "--button", "nowhere", "x"], "is no button"),
        (["--all", "--at", "2020-01-01", "x"], "--at is past"),
        (["--all", "--at", "soon", "x"], "is no time"),
        (["--all", "--ttl", "1y", "x"], "is no duration"),
        (["--all", "--copy", "here", "x"], "is no message"),
        (["--group", "1;2", "x"], "is no id"),
        (["--all", "--file", "/nonexistent"], "can't be read"),
        (["--all", "--file", "/nonexistent", "x"], "given twice"),
        (["--all", "--html", "--markdown", "x"], "not allowed with"),
        (["--all", "--idempotency-key", "a b", "x"], "without spaces"),
        (["--all", "--dry-run", "--watch", "x"], "--watch"),
        (["--all", "--give-up-after", "1m", "x"], "--give-up-after is for --watch"),
    ],
)
async def test_what_is_refused_before_anybody_is_asked(alone: Operator, words: list[str], said: str) -> None:
    done = await alone.muster("send", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


async def test_bytes_that_are_no_text(alone: Operator) -> None:
    done = await alone.muster("send", "--all", given=b"\xff\xfe")
    assert (done.code, done.out) == (2, "")
    assert "is not UTF-8" in done.err


async def test_a_lost_answer_is_asked_for_again_and_doubles_nothing(world: World) -> None:
    await world.grow(1)
    world.to_api.freeze("down")
    process = await world.operator.start("send", "--all", "--yes", "hello")
    await world.has("broadcasts", 1)
    world.to_api.cut()
    world.to_api.heal()
    out, err = await process.communicate()
    assert (process.returncode, out.decode()[:24]) == (0, "Broadcast 1 is accepted.")
    assert "connection broke" in err.decode()
    assert len(await world.rows("broadcasts")) == 1


async def test_an_answer_lost_for_good_says_how_to_find_out(world: World) -> None:
    await world.grow(2)
    words = ["send", "--all", "--yes", "--at", "+1h", "--timeout", "0.5", "--tries", "2", "hello"]
    world.to_api.freeze("down")
    done = await world.operator.muster(*words)
    assert (done.code, done.out) == (3, "")
    [key] = re.findall(r"--idempotency-key (\S+)", done.err)
    [at] = re.findall(r"--at (\S+)", done.err)
    await world.has("broadcasts", 1)
    world.to_api.cut()
    world.to_api.heal()
    again = ["send", "--all", "--yes", "--at", at, "--idempotency-key", key, "hello"]
    done = await world.operator.muster(*again)
    assert (done.code, done.out[:24]) == (0, "Broadcast 1 is accepted."), done.err
    other = await world.operator.muster(*again[:-1], "something else")
    assert (other.code, len(await world.rows("broadcasts"))) == (1, 1)
    assert "belongs to another request" in other.err


async def test_ctrl_c_before_the_answer_says_how_to_find_out(world: World) -> None:
    await world.grow(1)
    world.to_api.freeze("down")
    async with world.operator.terminal("send", "--all", "--yes", "hello") as terminal:
        await world.has("broadcasts", 1)
        terminal.types("\x03")
        assert await terminal.ended() == 130
        await terminal.shows("--idempotency-key cli-")


async def test_a_key_that_may_send_but_not_look(world: World) -> None:
    await world.grow(1)
    key = await world.make_key("messages:write")
    done = await world.operator.muster("send", "--all", "--yes", "--watch", "hello", MUSTER_API_KEY=key)
    assert (done.code, done.out[:24]) == (1, "Broadcast 1 is accepted.")
    assert "broadcast 1 is accepted, and goes on all the same" in done.err


async def test_a_lost_estimate_has_changed_nothing_and_says_so(world: World) -> None:
    await world.grow(2)
    world.to_api.freeze("down")
    done = await world.operator.muster("send", "--all", "--timeout", "0.5", "--tries", "1", "hello")
    assert (done.code, "no answer in time" in done.err) == (3, True)
    assert "idempotency" not in done.err


async def test_a_terminal_and_no_text(alone: Operator) -> None:
    async with alone.terminal("send", "--all") as terminal:
        assert await terminal.ended() == 2
        await terminal.shows("there is nothing to send")


async def test_send_and_watch(world: World) -> None:
    await world.grow(2)
    process = await world.operator.start("send", "--all", "--yes", "--watch", "--json", "hello")
    await world.has("broadcasts", 1)
    await world.plan(1)
    await world.settle(1, "sent", "sent")
    out, _ = await process.communicate()
    lines = [json.loads(line) for line in out.splitlines()]
    assert (process.returncode, lines[0]["broadcast_id"], lines[-1]["state"]) == (0, 1, "done")
