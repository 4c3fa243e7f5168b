"""The commands of the runbooks exist, and their questions to the database are ones that it can answer."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from common.testing.postgres import Database
from dashboards import ALL

PAGES = sorted((Path(__file__).parents[3] / "docs" / "runbooks").glob("*.md"))
PROGRAMS = {"python -m common": "common", "muster": "muster_cli"}


def commands() -> Iterator[str]:
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            yield from (line.strip() for line in block.splitlines() if line.strip())


def ours() -> set[tuple[str, ...]]:
    """(module, verb, action) of each."""
    found = set()
    for line in commands():
        for start, module in PROGRAMS.items():
            if line.startswith(f"{start} "):
                words = line.removeprefix(f"{start} ").split()
                found.add((module, *[word for word in words[:2] if word.islower() and word.isascii()]))
    return found


@pytest.mark.parametrize("command", sorted(ours()), ids=" ".join)
def test_our_commands_exist(command: tuple[str, ...]) -> None:
    module, *verb = command
    done = subprocess.run([sys.executable, "-m", module, *verb, "--help"], capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr


def test_every_command_is_of_a_program_that_a_reader_has() -> None:
    known = ("kubectl ", "psql ", "muster ", "python -m common ")
    assert [line for line in commands() if not line.startswith(known)] == []
    assert len(ours()) >= 8


async def test_the_database_understands_its_questions(db: Database) -> None:
    asked = 0
    for line in commands():
        if line.startswith("psql "):
            async with db.transaction() as tx:
                await tx.fetch(shlex.split(line)[-1])
            asked += 1
    assert asked >= 5


def test_panels_that_are_named_are_there() -> None:
    titles = {panel.title for dashboard in ALL for panel in dashboard.panels()}
    titles |= {dashboard.title.removeprefix("Muster / ") for dashboard in ALL}
    named = {name for page in PAGES for name in re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*", page.read_text("utf-8"))}
    unknown = {name for name in named if not any(title.startswith(name) for title in titles)}
    assert unknown == set()
    assert len(named) > 10


def test_alerts_that_are_named_have_a_page() -> None:
    names = {name for page in PAGES for name in re.findall(r"\bMuster[A-Z]\w+", page.read_text("utf-8"))}
    assert names <= {page.stem for page in PAGES}


def test_settings_that_are_named_exist() -> None:
    settings = (Path(__file__).parents[3] / "docs" / "settings.md").read_text("utf-8")
    named = {name for page in PAGES for name in re.findall(r"MUSTER_[A-Z_]+", page.read_text("utf-8"))}
    assert {name for name in named if name not in settings} == set()
