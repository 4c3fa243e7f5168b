"""Groups, bots, keys and the audit trail, by command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from muster_cli.testing import Operator

from .conftest import FIRST, SECOND, World


@pytest.mark.parametrize(
    ("words", "next_step"),
    [
        (("groups", "list"), "muster groups add"),
        (("groups", "list", "--tag", "x"), "muster groups list"),
        (("bots", "list"), "muster bots add"),
    ],
)
async def test_empty_states_say_what_to_do_next(world: World, words: tuple[str, ...], next_step: str) -> None:
    done = await world.operator.muster(*words)
    assert (done.code, done.out) == (0, "")
    assert next_step in done.err


async def test_groups_are_listed_over_pages_and_filtered(world: World) -> None:
    await world.grow(250)
    await world.grow(1, SECOND, tags=["berlin"])
    every = await world.operator.muster("groups", "list", "--json")
    assert [row["group_id"] for row in every.lines] == world.groups
    table = await world.operator.muster("groups", "list", "--tag", "berlin", "--sendable", "yes")
    heading, row = table.out.splitlines()
    assert heading.split()[:5] == ["ID", "TITLE", "BOT", "TAGS", "PHASE"]
    assert row.split()[:4] == ["251", "g250", "222222", "berlin"]
    assert row.rstrip().endswith("yes")
    by_bot = await world.operator.muster("groups", "list", "--bot", str(FIRST), "--limit", "2", "--json")
    assert len(by_bot.lines) == 2


async def test_a_group_is_added_once(world: World) -> None:
    await world.grow(1)
    words = ["groups", "add", "--bot", str(FIRST), "--chat", "-1001234567890", "--title", "Berlin", "--tag", "a,b"]
    words += ["--timezone", "Europe/Berlin", "--window", "9:00-21:00", "--variable", "hashtag=#x", "--json"]
    words += ["--final-message-allowed", "no", "--idempotency-key", "g1"]
    first, second = await world.operator.muster(*words), await world.operator.muster(*words)
    assert (first.code, first.out) == (0, second.out)
    made = first.document
    assert (made["tags"], made["window"], made["timezone"]) == (
        ["a", "b"],
        {"from": "09:00", "to": "21:00"},
        "Europe/Berlin",
    )
    assert (made["variables"], made["final_message_allowed"], made["title"]) == ({"hashtag": "#x"}, False, "Berlin")
    other = await world.operator.muster(*words[:-2])
    assert (other.code, "409 Conflict" in other.err) == (1, True)


async def test_settings_that_are_not_named_stay(world: World) -> None:
    first, second = await world.grow(2, tags=["a", "b"])
    setting = ("groups", "set", str(first))
    assert (await world.operator.muster(*setting, "--variable", "x=1", "--window", "22:00-06:00")).code == 0
    done = await world.operator.muster(
        *setting,
        str(second),
        "--add-tag",
        "c",
        "--remove-tag",
        "a,z",
        "--variable",
        "y=2",
        "--no-variable",
        "x",
        "--json",
    )
    assert [row["tags"] for row in done.lines] == [["b", "c"]] * 2
    assert [row["variables"] for row in done.lines] == [{"y": "2"}] * 2
    assert [row["window"] for row in done.lines] == [{"from": "22:00", "to": "06:00"}, None]
    done = await world.operator.muster(*setting, "--no-window", "--no-tags", "--final-message-allowed", "no", "--json")
    assert (done.document["window"], done.document["tags"]) == (None, [])
    shown = await world.operator.muster("groups", "show", str(first))
    assert re.search(r"sent to +no: final message not allowed", shown.out)


async def test_several_groups_are_named_with_commas(world: World) -> None:
    await world.grow(3)
    done = await world.operator.muster("groups", "set", "1,2", "--add-tag", "x", "3", "--json")
    assert [(row["group_id"], row["tags"]) for row in done.lines] == [(1, ["x"]), (2, ["x"]), (3, ["x"])]


async def test_a_group_is_let_in_again(world: World) -> None:
    [group] = await world.grow(1)
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE groups SET out_reason = 'no_rights'")
    assert "no: no_rights" in (await world.operator.muster("groups", "list")).out
    done = await world.operator.muster("groups", "set", str(group), "--let-in", "--json")
    assert (done.code, done.document["out_reason"]) == (0, None)


async def test_the_group_that_was_refused_is_named_and_those_before_it(world: World) -> None:
    [group] = await world.grow(1)
    done = await world.operator.muster("groups", "set", str(group), "999", "--tag", "x")
    assert done.code == 1
    assert "group 999: 404 Not Found" in done.err
    assert f"changed before it: {group}" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["7"],
        ["7", "--tag", "a", "--add-tag", "b"],
        ["7", "--window", "9-21"],
        ["7", "--window", "09:00-21:00", "--no-window"],
        ["7", "--variable", "X=1"],
        ["7", "--final-message-allowed", "maybe"],
        ["0", "--tag", "a"],
        ["1,,2", "--tag", "a"],
    ],
)
async def test_settings_that_make_no_sense(alone: Operator, words: list[str]) -> None:
    done = await alone.muster("groups", "set", *words)
    assert (done.code, done.out) == (2, "")


async def test_a_change_whose_answer_was_lost(world: World) -> None:
    [group] = await world.grow(1)
    world.to_api.freeze("down")
    words = ("groups", "set", str(group), "--tag", "x", "--timeout", "0.5", "--tries", "2", "--json")
    done = await world.operator.muster(*words)
    problem = json.loads(done.err.splitlines()[-1])
    assert (done.code, problem["error"], problem["group_id"]) == (3, "unreachable", group)
    assert "twice is once" in problem["hints"][-1]
    world.to_api.cut()
    world.to_api.heal()
    assert (await world.operator.muster(*words)).document["tags"] == ["x"]


async def test_a_machine_that_can_show_ascii_only(world: World) -> None:
    await world.grow(1, title="Zürich ")
    done = await world.operator.muster("groups", "list", PYTHONIOENCODING="ascii")
    assert (done.code, r"Z\xfcrich 0" in done.out) == (0, True), done.err


async def test_bots(world: World) -> None:
    await world.grow(2)
    listed = await world.operator.muster("bots", "list")
    assert listed.out.splitlines()[1].split()[:2] == ["111111", "@bot111111"]
    shown = await world.operator.muster("bots", "show", "111111")
    assert re.search(r"username +@bot111111", shown.out)
    assert (await world.operator.muster("bots", "show", "5")).code == 1
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE bots SET learned = 15, learned_at = now() + interval '1 min'")
    assert "15 of 30" in (await world.operator.muster("bots", "list")).out
    assert re.search(r"sends a second +15 of 30", (await world.operator.muster("bots", "show", "111111")).out)


async def test_a_bot_that_is_disabled_or_unwell_shows_it(world: World) -> None:
    await world.grow(1)
    await world.grow(1, SECOND)
    assert "not checked yet" in (await world.operator.muster("bots", "show", str(FIRST))).out
    problems = {"webhook": "none", "problems": ["webhook_missing", "backlog"], "pending_updates": 7}
    async with world.db.transaction() as tx:
        await tx.execute("UPDATE bots SET checked_at = now(), health = $1", {"webhook": "ours", "problems": []})
        await tx.execute("UPDATE bots SET health = $2, enabled = false WHERE bot_id = $1", FIRST, problems)
    first, second = (await world.operator.muster("bots", "list")).out.splitlines()[1:]
    assert "active, disabled" in first
    assert re.search(r"webhook_missing, backlog +\d{4}-\d\d-\d\d ", first)
    assert re.search(r" active +ok +\d{4}-", second)
    shown = (await world.operator.muster("bots", "show", str(FIRST))).out
    for fact in ("state +active, disabled", "health +webhook_missing, backlog", r"checked +\d{4}-", "waiting +7"):
        assert re.search(fact, shown), shown


async def test_a_new_key_is_printed_once_and_alone(world: World) -> None:
    await world.grow(0)
    await world.grow(0, SECOND)
    words = ("keys", "new", "shop", "--scope", "messages:write", "--bot", "111111,222222", "--expires", "+90d")
    made = await world.operator.muster(*words)
    key = made.out.strip()
    assert re.fullmatch(r"mst_[a-z]+_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", key)
    assert made.out == key + "\n"
    assert key not in made.err
    assert "shop" in made.err
    await world.grow(1)
    assert (await world.operator.muster("send", "--all", "x", "--dry-run", MUSTER_API_KEY=key)).code == 0
    listed = await world.operator.muster("keys", "list")
    assert key.split("_")[2] in listed.out
    assert key.split("_")[3] not in listed.out


async def test_rotate_and_revoke(world: World) -> None:
    key_id = (await world.make_key("bots:read")).split("_")[2]
    rotated = await world.operator.muster("keys", "rotate", key_id, "--overlap", "0", "--json")
    successor = rotated.document["key"]
    assert (await world.operator.muster("bots", "list", MUSTER_API_KEY=successor)).code == 0
    new_id = rotated.document["key_id"]
    async with world.operator.terminal("keys", "revoke", new_id) as terminal:
        await terminal.shows(f"Revoke key {new_id} for good? [y/N]")
        terminal.types("yes\n")
        assert await terminal.ended() == 0
    assert (await world.operator.muster("bots", "list", MUSTER_API_KEY=successor)).code == 1


async def test_its_own_key_is_revoked_with_a_warning(world: World) -> None:
    own = world.operator.environment["MUSTER_API_KEY"]
    async with world.operator.terminal("keys", "revoke", own.split("_")[2]) as terminal:
        await terminal.shows("It is the one that this command uses.")
        terminal.types("n\n")
        assert await terminal.ended() == 2
    whole = await world.operator.muster("keys", "revoke", own, "--yes")
    assert (whole.code, own in whole.err) == (2, False)


async def test_a_key_whose_answer_was_lost_is_not_made_twice(world: World) -> None:
    before = len(await world.rows("api_keys"))
    world.to_api.freeze("down")
    done = await world.operator.muster("keys", "new", "shop", "--scope", "bots:read", "--timeout", "1")
    assert (done.code, done.out) == (3, "")
    assert "muster keys revoke ID" in done.err
    assert len(await world.rows("api_keys")) == before + 1


async def test_the_audit_says_who_changed_what(world: World) -> None:
    await world.grow(1)
    await world.plan()
    await world.operator.muster("broadcasts", "pause", "1")
    done = await world.operator.muster("audit", "--limit", "1")
    row = done.out.splitlines()[1]
    assert "broadcast.pause  broadcast:1" in re.sub(r"  +", "  ", row)
    assert "state: running → paused" in row
    assert (await world.operator.muster("audit", "--json")).lines[0]["action"] == "broadcast.pause"


async def test_a_file_is_uploaded_shown_and_deleted(world: World, tmp_path: Path) -> None:
    path = tmp_path / "map.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 100)
    words = ("media", "upload", str(path), "--keep", "7d", "--idempotency-key", "u1")
    first, second = await world.operator.muster(*words), await world.operator.muster(*words)
    assert (first.code, first.out, second.out) == (0, "media:1\n", "media:1\n"), first.err
    assert "muster send --photo media:1" in first.err
    listed = await world.operator.muster("media", "list")
    assert listed.out.splitlines()[1].split()[:4] == ["media:1", "map.jpg", "image/jpeg", "104"]
    shown = await world.operator.muster("media", "show", "media:1", "--json")
    assert (shown.document["name"], shown.document["kinds"]) == ("map.jpg", ["photo", "document"])


async def test_a_file_is_deleted_when_that_is_confirmed(world: World, tmp_path: Path) -> None:
    path = tmp_path / "map.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 100)
    await world.operator.muster("media", "upload", str(path))
    async with world.operator.terminal("media", "delete", "1") as terminal:
        await terminal.shows("Delete media:1 (map.jpg) for good? [y/N]")
        terminal.types("n\n")
        assert await terminal.ended() == 2
    assert len(await world.rows("media")) == 1
    unasked = await world.operator.muster("media", "delete", "1")
    assert (unasked.code, "give --yes" in unasked.err) == (2, True)
    done = await world.operator.muster("media", "delete", "media:1", "--yes")
    assert (done.code, done.out) == (0, "media:1 (map.jpg) is deleted.\n")
    assert await world.rows("media") == await world.rows("blobs") == []
    again = await world.operator.muster("media", "delete", "1", "--yes")
    assert (again.code, "404" in again.err) == (1, True)


async def test_a_file_in_use_is_refused_with_the_reason(world: World, tmp_path: Path) -> None:
    path = tmp_path / "map.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 100)
    await world.grow(1)
    await world.operator.muster("media", "upload", str(path))
    await world.operator.muster("send", "--all", "--photo", "media:1", "--yes", "hi")
    done = await world.operator.muster("media", "delete", "1", "--yes")
    assert (done.code, "409" in done.err, "not ended" in done.err) == (1, True, True), done.err
    assert "broadcasts 1: muster broadcasts cancel ID" in done.err
    assert "schedules" not in done.err


@pytest.mark.parametrize("words", [["upload", "/nowhere/x"], ["upload", "/"], ["delete", "media:x"], ["show", "0"]])
async def test_files_that_make_no_sense(alone: Operator, words: list[str]) -> None:
    done = await alone.muster("media", *words)
    assert (done.code, done.out) == (2, "")


async def test_the_audit_is_searched(world: World) -> None:
    await world.grow(1)
    await world.plan()
    for verb in ("pause", "resume"):
        await world.operator.muster("broadcasts", verb, "1")
    words = ("audit", "--kind", "broadcast", "--id", "1", "--action", "broadcast.pause", "--since", "1h", "--json")
    assert [row["action"] for row in (await world.operator.muster(*words)).lines] == ["broadcast.pause"]
    own = world.operator.environment["MUSTER_API_KEY"].split("_")[2]
    by_key = await world.operator.muster("audit", "--key", own, "--kind", "broadcast", "--json")
    assert [row["action"] for row in by_key.lines] == ["broadcast.resume", "broadcast.pause"]
    none = await world.operator.muster("audit", "--until", "1h")
    assert (none.code, none.out) == (0, "")
    assert "No change fits" in none.err


async def test_the_audit_is_short_enough_to_be_read(world: World) -> None:
    groups = await world.grow(5)
    words = [word for group in groups for word in ("--group", str(group))]
    await world.operator.muster("send", *words, "--yes", "hello")
    await world.operator.muster("groups", "set", "1", "--final-message-allowed", "no", "--add-tag", "berlin")
    change, made = (await world.operator.muster("audit")).out.splitlines()[1:3]
    assert "targets: group_ids 1, 2, 3 and 2 more, accepted: 5" in made
    assert "tags: - → berlin" in change
    assert "final_message_allowed: yes → no" in change


@pytest.mark.parametrize(
    "words", [["--id", "7"], ["--since", "+1h"], ["--since", "yesterday"], ["--until", ""], ["--kind", "grup"]]
)
async def test_searches_that_make_no_sense(alone: Operator, words: list[str]) -> None:
    done = await alone.muster("audit", *words)
    assert (done.code, done.out) == (2, "")
