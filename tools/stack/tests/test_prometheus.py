"""Prometheus is the installed one, the unpacked one, or a refusal that says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from stack import prometheus
from stack.errors import StackError


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without it: nothing on the PATH, a checkout that has fetched nothing."""
    monkeypatch.setattr(prometheus, "checkout", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def program(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_installed_one_is_taken(empty: Path) -> None:
    server, promtool = (program(empty / "bin" / name) for name in ("prometheus", "promtool"))
    assert prometheus.have() == prometheus.Prometheus(server, promtool)


def test_what_was_fetched_once_is_not_fetched_again(empty: Path) -> None:
    folder = empty / ".cache" / "prometheus" / "usr" / "bin"
    server, promtool = (program(folder / name) for name in ("prometheus", "promtool"))
    assert prometheus.have() == prometheus.Prometheus(server, promtool)


def test_a_fetched_package_is_unpacked_and_nothing_else_is_left(empty: Path) -> None:
    program(empty / "bin" / "apt-get", "echo package > prometheus.deb")
    program(
        empty / "bin" / "dpkg-deb",
        'PATH=/usr/bin:/bin; mkdir -p "$3/usr/bin"; touch "$3/usr/bin/prometheus" "$3/usr/bin/promtool"',
    )
    found = prometheus.have()
    assert found.promtool == empty / ".cache" / "prometheus" / "usr" / "bin" / "promtool"
    assert sorted(path.name for path in (empty / ".cache").iterdir()) == ["prometheus", "prometheus.lock"]


def test_a_failure_is_told_with_its_reason_and_the_way_out(empty: Path) -> None:
    with pytest.raises(StackError, match="neither Debian nor Ubuntu"):
        prometheus.have()
    program(empty / "bin" / "apt-get", "echo 'E: Unable to locate package' >&2; exit 100")
    program(empty / "bin" / "dpkg-deb")
    with pytest.raises(StackError, match="Unable to locate package") as refused:
        prometheus.have()
    assert refused.value.hint == "as root: apt-get update"
    assert not shutil.which("prometheus")


def test_the_real_one_runs() -> None:
    try:
        found = prometheus.have()
    except StackError as error:
        pytest.skip(str(error))
    assert found.server.exists()
