"""Walls of size, docstrings, the map, and what every distribution ships."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import docs_map
import pytest
from tree import EVERYTHING, PRODUCT, ROOT, python_files

MODULE_WALL, FUNCTION_WALL = 400, 60  # lines
DISTRIBUTIONS = sorted(
    path for part in (*PRODUCT, "tools") for path in (ROOT / part).glob("*/pyproject.toml") if path.is_file()
)


def test_no_module_is_longer_than_the_wall() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in python_files(*EVERYTHING)}
    assert {shown(path): lines for path, lines in lengths.items() if lines > MODULE_WALL} == {}


def test_no_function_is_longer_than_the_wall() -> None:
    found = {
        f"{shown(path)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in python_files(*EVERYTHING)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in found.items() if lines > FUNCTION_WALL} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [shown(path) for path in python_files(*EVERYTHING) if docs_map.purpose(path) == ""]
    assert [path for path in silent if "tests/" not in path] == []


def test_the_map_is_fresh() -> None:
    assert docs_map.PAGE.read_text("utf-8") == docs_map.page(), "python tests/house/docs_map.py --write"


def test_decisions_have_their_files_numbers() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
    assert pages
    titles = {page.name: page.read_text("utf-8").partition("\n")[0] for page in pages}
    assert {name: title for name, title in titles.items() if not title.startswith(f"# {int(name[:4])}. ")} == {}


def test_the_linters_are_short_enough_to_be_believed() -> None:
    for name in ("sql_home.py", "queue_names.py"):
        assert len((Path(__file__).parent / name).read_text("utf-8").splitlines()) <= 60


@pytest.mark.parametrize("script", ["sql_home.py", "queue_names.py", "docs_map.py"])
def test_the_scripts_can_be_run_by_hand(script: str) -> None:
    done = subprocess.run([sys.executable, Path(__file__).parent / script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("project", DISTRIBUTIONS, ids=lambda path: path.parent.name)
def test_every_distribution_ships_its_types(project: Path) -> None:
    settings = tomllib.loads(project.read_text("utf-8"))
    assert settings["project"]["name"].startswith("muster-")
    [pattern] = settings["tool"]["setuptools"]["packages"]["find"]["include"]
    package = pattern.removesuffix("*")
    assert (project.parent / package / "py.typed").exists()
    assert any("py.typed" in names for names in settings["tool"]["setuptools"]["package-data"].values())


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
