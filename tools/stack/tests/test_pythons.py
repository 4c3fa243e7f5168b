"""Interpreters that are really there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stack.pythons import candidates, newer_pythons, probe

THIS = (sys.version_info[0], sys.version_info[1])


def test_a_shim_that_leads_nowhere_is_no_python(tmp_path: Path) -> None:
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\necho not found >&2\nexit 127\n")
    shim.chmod(0o755)
    assert probe(shim, (3, 12)) is None
    assert probe(tmp_path / "absent", (3, 12)) is None


def test_only_the_version_that_was_asked_for() -> None:
    assert probe(Path(sys.executable), THIS) is not None
    assert probe(Path(sys.executable), (3, 99)) is None


def test_pyenvs_folder_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    python = tmp_path / "versions/3.12.1/bin/python3.12"
    python.parent.mkdir(parents=True)
    python.touch()
    assert python in list(candidates((3, 12)))


def test_what_is_found_is_newer_than_this_one() -> None:
    assert all(version > THIS for version in newer_pythons())
