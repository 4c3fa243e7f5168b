"""One build for all tests here: `make vercel` (half a minute, a minute the first time)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import build as vercel


@pytest.fixture(scope="session")
def python() -> Path:
    """Skips loudly without the platform's Python."""
    found = vercel.python312()
    if found is None:
        pytest.skip("no Python 3.12: the Vercel build can't be tried here")
    return found


@pytest.fixture(scope="session")
def function_folder(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Path:
    """Built by the real CLI, with no login and no environment of ours."""
    return vercel.build(tmp_path_factory.mktemp("vercel"), python)
