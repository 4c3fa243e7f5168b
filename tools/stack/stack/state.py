"""Where everything of one checkout lives: `.muster/` in it, or where MUSTER_STATE says."""

from __future__ import annotations

import os
from pathlib import Path


def checkout() -> Path:
    """The checkout this tool belongs to."""
    return Path(__file__).resolve().parents[3]


def state_directory() -> Path:
    """The state directory, made where missing; others may pass through it, its secrets are files of mode 0600."""
    path = Path(os.environ.get("MUSTER_STATE") or checkout() / ".muster").absolute()
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)
    return path
