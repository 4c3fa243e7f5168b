"""Peers that run on node: npm packages of fixed versions in a folder that is no part of the repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench.stage import ROOT

_CACHE = ROOT / ".cache" / "bench"


def modules(name: str, *packages: str) -> Path | None:
    """For NODE_PATH, each name a folder of its own; None without node or npm, or when they can't be had."""
    found = _CACHE / name / "node_modules"
    if shutil.which("node") is None:
        return None
    if all((found / package.rpartition("@")[0]).exists() for package in packages):
        return found
    if shutil.which("npm") is None:
        return None
    found.parent.mkdir(parents=True, exist_ok=True)
    words = ["npm", "install", "--prefix", str(found.parent), "--no-save", "--no-audit", "--no-fund", *packages]
    return found if subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode == 0 else None
