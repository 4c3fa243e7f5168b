"""The locks in the repository: fresh, one version set, and free of any machine's traces."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stack.locks import locks, pins, stale
from stack.manifests import distributions, resolved
from stack.state import checkout

ALL = [lock.name for lock in locks(checkout())]


def test_the_locks_say_what_the_pyprojects_ask_for() -> None:
    assert stale(checkout()) == [], "run `make lock`"


@pytest.mark.parametrize("name", ALL)
def test_one_version_set_over_all_locks(name: str) -> None:
    every = pins(_read("dev"))
    assert {each: versions for each, versions in pins(_read(name)).items() if every.get(each) != versions} == {}


@pytest.mark.parametrize("name", ALL)
def test_every_pin_has_hashes_and_no_lock_names_an_index_or_a_path(name: str) -> None:
    text = _read(name)
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.split("\n", 2)[2])
    assert all("--hash=sha256:" in block for block in blocks)
    assert re.findall(r"://|--index|--find-links|--extra-index|file:|\s/\w", text) == []


def test_our_own_distributions_are_in_no_lock() -> None:
    assert not [name for name in ALL if any(each.startswith("muster") for each in pins(_read(name)))]


def test_a_requirement_of_ours_is_replaced_by_what_it_asks_for(tmp_path: Path) -> None:
    for name, text in {
        "libs/a": 'dependencies = ["x>1"]\noptional-dependencies = {deep = ["y"]}',
        "services/b": "",
    }.items():
        folder = tmp_path / name
        folder.mkdir(parents=True)
        project = f'[project]\nname = "muster-{folder.name}"\nversion = "1"\nrequires-python = ">=3.11"\n{text}\n'
        (folder / "pyproject.toml").write_text(project)
    own = distributions(tmp_path)
    assert resolved(["muster-a[deep]", "z"], own) == ["x>1", "y", "z"]
    assert resolved(["muster-a"], own) == ["x>1"]


def test_another_requirement_makes_a_lock_stale(tmp_path: Path) -> None:
    group = "[dependency-groups]\nreload = []\n"
    project = f'[project]\nname = "tools"\nversion = "1"\nrequires-python = ">=3.11"\n{group}'
    (tmp_path / "pyproject.toml").write_text(project)
    for name in ("ingress", "tgms", "sender", "dm", "telegram-sim"):
        folder = tmp_path / "services" / name
        folder.mkdir(parents=True)
        project = f'[project]\nname = "muster-{name}"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = []\n'
        (folder / "pyproject.toml").write_text(project)
    before = {lock.name: lock.digest for lock in locks(tmp_path)}
    (tmp_path / "services/dm/pyproject.toml").write_text(project.replace("telegram-sim", "dm").replace("[]", '["x"]'))
    after = {lock.name: lock.digest for lock in locks(tmp_path)}
    assert {name for name in before if before[name] != after[name]} == {"dev", "dm"}
    assert set(stale(tmp_path)) == set(before)


def _read(name: str) -> str:
    return (checkout() / "requirements" / f"{name}.txt").read_text()
