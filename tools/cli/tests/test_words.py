"""What options and figures are, without any server."""

from __future__ import annotations

import shlex
import subprocess
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import get_args

import pytest
from common.api_key import SCOPES
from common.events import Kind
from muster_cli import figures, kinds
from muster_cli.__main__ import parser
from muster_cli.clean import clean
from muster_cli.retrying import Lost, Policy, Refusal
from muster_cli.verbs import keys, webhooks

NOW = datetime(2026, 3, 1, 12, 0, 30, 5, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1h30m", 5400), ("2d", 172800), ("1d1h1m1s", 90061)]
)
def test_durations(text: str, seconds: int) -> None:
    assert kinds.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "1m1h", "-5", "1.5h", "1 h", "٣"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        kinds.duration(text)


def test_moments() -> None:
    assert kinds.moment("+1h30m", NOW) == NOW.replace(hour=13, minute=30, microsecond=0)
    assert kinds.moment("2026-12-01T09:00+01:00").isoformat() == "2026-12-01T09:00:00+01:00"
    assert kinds.moment("2026-12-01T09:00Z").utcoffset() == timedelta(0)
    assert kinds.moment("2026-12-01 09:00").utcoffset() is not None
    local = datetime.now().astimezone().replace(hour=12, minute=0, second=0, microsecond=0)
    assert kinds.moment("12:30", local) - local == timedelta(minutes=30)
    assert kinds.moment("12:00", local).date() - local.date() == timedelta(days=1)


@pytest.mark.parametrize("text", ["", "24:00", "tomorrow", "+", "2026-13-01", "+99999999999d"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        kinds.moment(text, NOW)


def test_a_button_splits_before_its_address() -> None:
    assert kinds.button("a=b=https://x.example/?c=d") == {"text": "a=b", "url": "https://x.example/?c=d"}
    assert kinds.button("go = tg://resolve?domain=x")["text"] == "go"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (125, "2 min 5 s"), (7200, "2 h"), (90000, "1 d 1 h")],
)
def test_spans(seconds: int, text: str) -> None:
    assert figures.span(seconds) == text


def test_strangers_text_moves_nothing() -> None:
    assert clean("a\x1b]0;x\x07\u202eb\x9b1m\u2028") == r"a\x1b]0;x\x07b\x9b1m\u2028"
    assert clean("a\nb") == r"a\nb"
    assert clean("a\nb👩\u200d👧", lines=True) == "a\nb👩\u200d👧"


@pytest.mark.parametrize(
    ("repeatable", "outcome", "wait"),
    [
        (True, Lost(sent=True), 0.5),
        (False, Lost(sent=True), None),
        (False, Lost(sent=False), 0.5),
        (False, Refusal(429, retry_after=7), 7),
        (True, Refusal(429, retry_after=61), None),
        (True, Refusal(503, retry_after=5), 5),
        (False, Refusal(503, retry_after=5), None),
        (True, Refusal(502), 0.5),
        (True, Refusal(500), None),
        (True, Refusal(409), None),
        (True, Refusal(409, "idempotency_in_progress"), 0.5),
        (True, Refusal(401), None),
    ],
)
def test_when_a_request_is_made_again(
    repeatable: bool,  # noqa: FBT001 (pytest gives it by name)
    outcome: Lost | Refusal,
    wait: float | None,
) -> None:
    assert Policy(repeatable).wait(1, outcome) == wait
    assert Policy(repeatable).wait(5, outcome) is None


def test_waits_grow_to_a_bound() -> None:
    policy = Policy(repeatable=True, tries=25)
    waits = [policy.wait(tried, Lost(sent=False)) for tried in range(1, 25)]
    assert waits[:5] == [0.5, 1.0, 2.0, 4.0, 5.0]
    assert set(waits[4:]) == {5.0}


def test_a_key_can_have_every_scope_that_there_is() -> None:
    assert keys.SCOPES == SCOPES


def test_a_webhook_can_hear_of_every_kind_that_there_is() -> None:
    assert get_args(Kind) == webhooks.KINDS


def leaves(top: ArgumentParser) -> Iterator[ArgumentParser]:
    """Every verb's own parser."""
    below = [each for action in top._actions if isinstance(action.choices, dict) for each in action.choices.values()]
    for each in below:
        yield from leaves(each)
    if not below:
        yield top


@pytest.mark.parametrize("leaf", list(leaves(parser())), ids=lambda leaf: leaf.prog)
def test_every_verb_has_examples_that_can_be_parsed(leaf: ArgumentParser) -> None:
    text = leaf.format_help()
    _, _, examples = text.partition("examples:\n")
    assert examples.strip()
    for line in examples.strip().splitlines():
        assert f"{line.strip()} ".startswith(f"{leaf.prog} ")
        words = shlex.split(line.split(" | ")[0].split(" > ")[0])[1:]
        parser().parse_args(words)


@pytest.mark.parametrize("noun", ["bots", "broadcasts", "groups", "keys", "media", "schedules", "webhooks"])
def test_a_noun_without_a_verb_lists(noun: str) -> None:
    bare, cut = parser().parse_args([noun]), parser().parse_args([noun, "--limit", "3", "--json"])
    assert (bare, cut) == (
        parser().parse_args([noun, "list"]),
        parser().parse_args([noun, "list", "--limit=3", "--json"]),
    )
    assert parser().parse_args(["--json", noun]).json


def test_a_verb_that_is_none_names_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["bots", "lits"])
    assert "'list', 'show'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said", "where"),
    [
        ("keys new --name x --scope *", "unrecognized arguments: --name", "muster keys new"),
        ("keys --name x", "unrecognized arguments: --name x", "muster keys list"),
        ("keys new shop", "the following arguments are required: --scope", "muster keys new"),
        (
            "keys new x --scope bots:read,bots:reed",
            "argument --scope: 'bots:reed' is no scope; there are",
            "muster keys new",
        ),
        ("send --priority 10 x", "argument --priority: invalid choice: 10", "muster send"),
        ("bots lits", "argument VERB: invalid choice: 'lits'", "muster bots"),
        ("--nosuch bots", "unrecognized arguments: --nosuch", "muster"),
    ],
)
def test_a_slip_is_answered_in_two_lines(capsys: pytest.CaptureFixture[str], words: str, said: str, where: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words.split())
    first, second = capsys.readouterr().err.splitlines()
    assert (ended.value.code, second) == (2, f"  see {where} --help")
    assert first.startswith(f"{where}: {said}")


def test_scopes_and_kinds_take_commas() -> None:
    made = parser().parse_args(["keys", "new", "x", "--scope", "bots:read,groups:read", "--scope", "audit:read"])
    assert made.scopes == ["bots:read", "groups:read", "audit:read"]
    hook = ["webhooks", "new", "https://x.example", "--kind", "broadcast.started,broadcast.paused"]
    assert parser().parse_args(hook).kinds == ["broadcast.started", "broadcast.paused"]


def test_help_opens_nothing_and_needs_no_settings() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "muster_cli", "broadcasts", "watch", "--help"],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin"},
    )  # fmt: skip
    assert (done.returncode, "exit code 4" in done.stdout) == (0, True)
