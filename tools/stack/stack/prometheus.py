"""Prometheus and promtool: the installed ones, or the distribution's, unpacked under .cache and not installed."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.errors import StackError
from stack.state import checkout

PACKAGE: Final = "prometheus"
_NAMES: Final = ("prometheus", "promtool")


@dataclass(frozen=True)
class Prometheus:
    """Where the two programs are."""

    server: Path
    promtool: Path


def have() -> Prometheus:
    """Fetched at the first call on a machine: 19 MB, no root, nothing started. StackError where that can't be."""
    folder = checkout() / ".cache" / "prometheus"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / "prometheus.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes may ask at once
        found = _installed() or _unpacked(folder)
        if found is None:
            _fetch(folder)
            found = _unpacked(folder)
    if found is None:
        raise StackError(f"the package {PACKAGE} has no {' and no '.join(_NAMES)}")
    return found


def _installed() -> Prometheus | None:
    server, promtool = map(shutil.which, _NAMES)
    return Prometheus(Path(server), Path(promtool)) if server and promtool else None


def _unpacked(folder: Path) -> Prometheus | None:
    server, promtool = (folder / "usr" / "bin" / name for name in _NAMES)
    return Prometheus(server, promtool) if server.exists() and promtool.exists() else None


def _fetch(folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise StackError(
            "Prometheus is missing, and this is neither Debian nor Ubuntu",
            hint="put prometheus and promtool on the PATH",
        )
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        work = Path(name)
        _download(work)
        packages = list(work.glob("*.deb"))
        subprocess.run(["dpkg-deb", "--extract", str(packages[0]), str(work / "whole")], check=True)
        shutil.rmtree(folder, ignore_errors=True)
        (work / "whole").rename(folder)


def _download(folder: Path) -> None:
    words = ["apt-get", "download", "-q", PACKAGE]
    for before in ([], ["apt-get", "update", "-q"]):  # a new machine has no lists of packages yet
        if before:
            subprocess.run(before, capture_output=True, check=False)
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode == 0 and any(folder.glob("*.deb")):
            return
    raise StackError(f"apt-get download {PACKAGE} failed:\n{done.stderr.strip()}", hint="as root: apt-get update")
